//! LongMemEval (arXiv 2410.10813): every question has a haystack of dated sessions of its own, which becomes the memory
//! of a user of its own.
//!
//! Invariant: **no label reaches the memory system.** Sessions that hold evidence have ids that begin with `answer_`,
//! questions without an answer have ids that end with `_abs`: with [`ImportOptions::hide_labels`], users are named by a
//! hash of the question's id and haystack, and sessions by their place in the haystack. The question itself, its answer
//! and the marks on turns are never sent. [`Question::session_names`] maps the names back for scoring.
//!
//! A session's date is that of all its turns, and a turn's key is the session's name, a colon, and its place from 0.

use std::fs::File;
use std::path::Path;

use serde::Deserialize;

use super::batch::{Batcher, Conversation, digest};
use super::chat::role_of;
use super::error::{FormatError, SourceLocation};
use super::record_reader::RecordReader;
use super::records::Records;
use super::source::{Source, unpacked};
use super::{Format, ImportItem, ImportOptions, timestamp};
use crate::wire::{NewTurn, Scope};

/// A question with its haystack. The answer is not read: nothing here needs it.
#[derive(Clone, Debug, Deserialize)]
pub struct Question {
    /// Its id; ends with `_abs` if there is no answer in the haystack.
    pub question_id: String,
    /// What it asks for, such as `multi-session`.
    #[serde(default)]
    pub question_type: String,
    /// The question.
    #[serde(default)]
    pub question: String,
    /// When it is asked, such as `2023/05/28 (Sun) 19:47`.
    #[serde(default)]
    pub question_date: String,
    /// When each session took place.
    pub haystack_dates: Vec<String>,
    /// The id of each session; one may occur twice.
    pub haystack_session_ids: Vec<String>,
    /// The sessions.
    pub haystack_sessions: Vec<Vec<HaystackTurn>>,
    /// The sessions that hold evidence.
    #[serde(default)]
    pub answer_session_ids: Vec<String>,
}

/// A turn of a haystack.
#[derive(Clone, Debug, Deserialize)]
pub struct HaystackTurn {
    /// `user` or `assistant`.
    pub role: String,
    /// What was said.
    pub content: String,
    /// Whether it holds evidence.
    #[serde(default)]
    pub has_answer: Option<bool>,
}

impl Question {
    /// Whether the right answer is that there is none.
    pub fn is_abstention(&self) -> bool {
        self.question_id.ends_with("_abs")
    }

    /// Whether evidence is marked in something that the user says. The official retrieval log leaves the others out.
    pub fn has_marked_user_turn(&self) -> bool {
        self.haystack_sessions
            .iter()
            .flatten()
            .any(|turn| turn.role == "user" && turn.has_answer == Some(true))
    }

    /// The user whose memory the haystack becomes.
    pub fn scope(&self, options: &ImportOptions) -> Scope {
        let prefix = &options.user_prefix;
        if options.hide_labels {
            // The editions of the benchmark (oracle, S, M) ask the same questions of different haystacks, which must
            // not become one user's memory.
            let haystack = (&self.haystack_session_ids, &self.haystack_dates);
            Scope::user(format!("{prefix}question-{}", digest(&self.question_id, &haystack)))
        } else {
            Scope::user(format!("{prefix}{}", self.question_id))
        }
    }

    /// What each session is called in the memory system, in the order of [`Question::haystack_session_ids`].
    pub fn session_names(&self, options: &ImportOptions) -> Vec<String> {
        let ids = self.haystack_session_ids.iter().enumerate();
        ids.map(|(index, id)| if options.hide_labels { format!("session-{index:04}") } else { id.clone() })
            .collect()
    }

    /// The end of the day on which the question is asked, in RFC 3339: some sessions of that day are stamped later than
    /// the question and still belong to its past.
    pub fn asked_at(&self) -> Option<String> {
        let asked = timestamp::parse(&self.question_date)?;
        Some(format!("{}T23:59:59Z", asked.get(..10)?))
    }

    /// The batches of the haystack. `location` is where errors say that the question stands.
    ///
    /// # Errors
    /// [`FormatError::Value`] for dates that are none and lists that do not fit together, and those of texts.
    pub fn batches(
        &self,
        options: &ImportOptions,
        location: &SourceLocation,
    ) -> Result<Vec<ImportItem>, FormatError> {
        let mut batcher = Batcher::new(Format::LongMemEval, options);
        self.fill(options, location, &mut batcher)?;
        Ok(std::iter::from_fn(|| batcher.next()).collect())
    }

    fn fill(
        &self,
        options: &ImportOptions,
        location: &SourceLocation,
        batcher: &mut Batcher,
    ) -> Result<(), FormatError> {
        let (sessions, dates, ids) =
            (self.haystack_sessions.len(), self.haystack_dates.len(), self.haystack_session_ids.len());
        if sessions != dates || sessions != ids {
            let detail = format!("{sessions} sessions have {dates} dates and {ids} ids");
            return Err(FormatError::Value { location: location.at("haystack_sessions"), detail });
        }
        let names = self.session_names(options);
        let moments = self.haystack_dates.iter().enumerate().map(|(index, date)| {
            timestamp::parse(date).ok_or_else(|| FormatError::Value {
                location: location.at(format!("haystack_dates[{index}]")),
                detail: format!("`{date}` is not a moment"),
            })
        });
        let moments: Vec<_> = moments.collect::<Result<_, _>>()?;
        let scope = self.scope(options);
        for (index, (turns, (name, said_at))) in
            self.haystack_sessions.iter().zip(names.iter().zip(&moments)).enumerate()
        {
            let conversation =
                Conversation { scope: scope.clone(), session: Some(name.clone()), visibility: None };
            for (seq, turn) in turns.iter().enumerate() {
                let part = format!("haystack_sessions[{index}][{seq}]");
                let Some(role) = role_of(&turn.role) else {
                    let detail = format!("`{}` is not a role", turn.role);
                    return Err(FormatError::Value { location: location.at(format!("{part}.role")), detail });
                };
                let turn = NewTurn {
                    key: Some(format!("{name}:{seq}")),
                    said_at: Some(said_at.clone()),
                    ..NewTurn::new(role, &turn.content)
                };
                let salt = || format!("{index}/{seq}");
                batcher.turn(&location.at(format!("{part}.content")), &conversation, salt, turn)?;
            }
            batcher.close();
        }
        Ok(())
    }
}

/// The questions of a file, one at a time.
///
/// # Errors
/// [`FormatError::Read`] if the file cannot be opened; the iterator gives those of records.
pub fn questions(path: &Path, options: &ImportOptions) -> Result<Questions, FormatError> {
    let file = path.display().to_string();
    let source = File::open(path).map_err(|source| FormatError::Read { file: file.clone(), source })?;
    let records = Records::new(unpacked(source, &file)?, file, options.max_record_bytes);
    Ok(Questions { records, record: Vec::new() })
}

/// See [`questions`].
pub struct Questions {
    records: Records<Source>,
    record: Vec<u8>,
}

impl Iterator for Questions {
    type Item = Result<(Question, SourceLocation), FormatError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.records.next(&mut self.record) {
            Ok(true) => {
                let location = self.records.location().clone();
                Some(parse(&self.record, &location).map(|question| (question, location)))
            }
            Ok(false) => None,
            Err(error) => Some(Err(error)),
        }
    }
}

fn parse(record: &[u8], location: &SourceLocation) -> Result<Question, FormatError> {
    serde_json::from_slice(record).map_err(|source| FormatError::Shape { location: location.clone(), source })
}

pub(super) struct LongMemEvalReader {
    options: ImportOptions,
}

impl LongMemEvalReader {
    pub(super) fn new(options: &ImportOptions) -> Self {
        Self { options: options.clone() }
    }
}

impl RecordReader for LongMemEvalReader {
    fn record(
        &mut self,
        record: &[u8],
        location: &SourceLocation,
        batcher: &mut Batcher,
    ) -> Result<(), FormatError> {
        parse(record, location)?.fill(&self.options, location, batcher)
    }
}
