//! Reader of LongMemEval (arXiv 2410.10813): every question has its own haystack of dated sessions, which becomes the
//! memories of its own user.
//!
//! Invariant: **no label reaches the memory system.** Ids of sessions with evidence begin with `answer_`, and ids of
//! questions without an answer end with `_abs`. With [`ImportOptions::hide_labels`], users are named by a hash of the
//! question's id and haystack, and sessions by their position in the haystack. The question, its answer and the marks
//! on turns are never sent. [`Question::session_names`] maps the names back for scoring.
//!
//! All turns of a session have the session's date. The key of a turn is the session's name, a colon, and its position
//! from 0.

use std::fs::File;
use std::path::Path;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::batch::{Batcher, Conversation, digest};
use super::error::{FormatError, SourceLocation};
use super::fields::{filled, list_of, role_of, wrong};
use super::record_reader::RecordReader;
use super::records::Records;
use super::repair::parse;
use super::source::{Source, unpacked};
use super::{Format, ImportItem, ImportOptions, lenient, timestamp};
use crate::wire::{NewTurn, Scope};

/// Benchmark question with its haystack. The answer is not read, because nothing here needs it.
#[derive(Clone, Debug, Deserialize)]
pub struct Question {
    /// Id of the question; ends with `_abs` if the haystack has no answer.
    #[serde(deserialize_with = "lenient::text")]
    pub question_id: String,
    /// Type of the question, such as `multi-session`.
    #[serde(default, deserialize_with = "lenient::text")]
    pub question_type: String,
    /// Text of the question.
    #[serde(default, deserialize_with = "lenient::text")]
    pub question: String,
    /// Time at which it is asked, such as `2023/05/28 (Sun) 19:47`.
    #[serde(default, deserialize_with = "lenient::text")]
    pub question_date: String,
    /// Date of each session.
    #[serde(default, deserialize_with = "lenient::texts")]
    pub haystack_dates: Vec<String>,
    /// Id of each session; an id may occur twice.
    #[serde(default, deserialize_with = "lenient::texts")]
    pub haystack_session_ids: Vec<String>,
    /// Sessions of the haystack.
    #[serde(deserialize_with = "sessions")]
    pub haystack_sessions: Vec<Vec<HaystackTurn>>,
    /// Ids of the sessions with evidence.
    #[serde(default, deserialize_with = "lenient::texts")]
    pub answer_session_ids: Vec<String>,
}

/// Turn of a haystack.
#[derive(Clone, Debug, Deserialize)]
pub struct HaystackTurn {
    /// Role of the speaker: `user` or `assistant`; empty if the file has none.
    #[serde(default, deserialize_with = "lenient::text")]
    pub role: String,
    /// Text of the turn.
    #[serde(default, deserialize_with = "lenient::words")]
    pub content: String,
    /// Mark of a turn with evidence.
    #[serde(default, deserialize_with = "lenient::optional_bool")]
    pub has_answer: Option<bool>,
}

/// Sessions of a haystack. What is not a turn is kept as one without a role, so that it is named when it is skipped.
fn sessions<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Vec<HaystackTurn>>, D::Error> {
    let no_turn = || HaystackTurn { role: String::new(), content: String::new(), has_answer: None };
    let has_words = |value: &&Value| value.get("content").is_some();
    let turn = |value: &Value| {
        Some(value)
            .filter(has_words)
            .and_then(|value| HaystackTurn::deserialize(value).ok())
            .unwrap_or_else(no_turn)
    };
    let sessions = Value::deserialize(from)?;
    Ok(list_of(&sessions).iter().map(|session| list_of(session).iter().map(turn).collect()).collect())
}

impl Question {
    /// True if the haystack has no answer.
    pub fn is_abstention(&self) -> bool {
        self.question_id.ends_with("_abs")
    }

    /// True if a turn of the user is marked as evidence. The official retrieval log leaves out other questions.
    pub fn has_marked_user_turn(&self) -> bool {
        self.haystack_sessions
            .iter()
            .flatten()
            .any(|turn| turn.role == "user" && turn.has_answer == Some(true))
    }

    /// Scope of the haystack's user.
    pub fn scope(&self, options: &ImportOptions) -> Scope {
        let prefix = &options.user_prefix;
        if options.hide_labels {
            // The editions of the benchmark (oracle, S, M) have the same questions with different haystacks, which
            // must not become the memories of one user.
            let haystack = (&self.haystack_session_ids, &self.haystack_dates);
            Scope::user(format!("{prefix}question-{}", digest(&self.question_id, &haystack)))
        } else {
            Scope::user(format!("{prefix}{}", self.question_id))
        }
    }

    /// Names of the sessions in the memory system, in the order of [`Question::haystack_sessions`].
    pub fn session_names(&self, options: &ImportOptions) -> Vec<String> {
        let ids = self.haystack_session_ids.iter().map(Some).chain(std::iter::repeat(None));
        let names = ids.take(self.haystack_sessions.len()).enumerate().map(|(index, id)| match id {
            Some(id) if !options.hide_labels && !id.trim().is_empty() => id.clone(),
            _ => format!("session-{index:04}"),
        });
        names.collect()
    }

    /// End of the day on which the question is asked (RFC 3339): some sessions of that day have a later time than the
    /// question and still belong to its past.
    pub fn asked_at(&self) -> Option<String> {
        let asked = timestamp::parse(&self.question_date)?;
        Some(format!("{}T23:59:59Z", asked.get(..10)?))
    }

    /// Batches of the haystack. `location` is the location of the question in errors.
    ///
    /// # Errors
    /// [`FormatError::Value`] for invalid dates and roles, and the errors of texts: a haystack is whole or refused.
    pub fn batches(
        &self,
        options: &ImportOptions,
        location: &SourceLocation,
    ) -> Result<Vec<ImportItem>, FormatError> {
        let options = ImportOptions { strict: true, ..options.clone() };
        let mut batcher = Batcher::new(Format::LongMemEval, &options);
        self.fill(&options, location, &mut batcher)?;
        Ok(std::iter::from_fn(|| batcher.next()).collect())
    }

    fn fill(
        &self,
        options: &ImportOptions,
        location: &SourceLocation,
        batcher: &mut Batcher,
    ) -> Result<(), FormatError> {
        if self.question_id.trim().is_empty() {
            let detail = "a question needs an id".to_owned();
            return Err(FormatError::Value { location: location.at("question_id"), detail });
        }
        let scope = filled(self.scope(options), &options.scope);
        let names = self.session_names(options);
        for (index, (turns, name)) in self.haystack_sessions.iter().zip(&names).enumerate() {
            let date = self.haystack_dates.get(index).map_or("", String::as_str);
            let Some(said_at) = timestamp::parse(date) else {
                let location = location.at(format!("haystack_dates[{index}]"));
                let detail = format!("`{}` is not a time", date.chars().take(60).collect::<String>());
                batcher.skip(FormatError::Value { location, detail })?;
                continue;
            };
            let conversation =
                Conversation { scope: scope.clone(), session: Some(name.clone()), visibility: None };
            for (seq, turn) in turns.iter().enumerate() {
                let part = format!("haystack_sessions[{index}][{seq}]");
                let Some(role) = role_of(&turn.role) else {
                    let role = turn.role.chars().take(60).collect::<String>();
                    let detail = format!("no turn with a role and a text: `{role}` is not a role");
                    batcher.skip(wrong(&location.at(part), "role", &detail))?;
                    continue;
                };
                let turn = NewTurn {
                    key: Some(format!("{name}:{seq}")),
                    position: u32::try_from(seq).ok(),
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

/// Iterator over the questions of a file, one at a time.
///
/// # Errors
/// [`FormatError::Read`] if the file cannot be opened; the iterator returns the errors of records.
pub fn questions(path: &Path, options: &ImportOptions) -> Result<Questions, FormatError> {
    let file = path.display().to_string();
    let source = File::open(path).map_err(|source| FormatError::Read { file: file.clone(), source })?;
    let records = Records::new(unpacked(source, &file)?, file, options.max_record_bytes);
    Ok(Questions { records, record: Vec::new() })
}

/// Iterator of [`questions`].
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
                Some(parse(&self.record, &location).map(|question: Question| (question, location)))
            }
            Ok(false) => None,
            Err(error) => Some(Err(error)),
        }
    }
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
        let question: Question = parse(record, location)?;
        question.fill(&self.options, location, batcher)
    }
}
