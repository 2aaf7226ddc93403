//! Reader of LoCoMo (arXiv 2402.17753): long conversations of two people over many sessions. Each conversation becomes
//! the memories of a user named after it.
//!
//! Both speakers are people, so all turns have the role `user` and the speaker's name as author. The key of a turn is
//! its `dia_id`. A picture shared with a turn becomes a line `[image: CAPTION]` after the text. All turns of a session
//! have the session's date; a session without one has that of the session before it, and is skipped if there is none.
//! Questions, answers, summaries and observations are never sent.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::batch::{self, Batcher};
use super::blank::is_blank;
use super::error::{FormatError, SourceLocation};
use super::fields::{filled, is_absent, list_of, shown, wrong};
use super::record_reader::RecordReader;
use super::records::Records;
use super::repair::parse;
use super::source::{Source, unpacked};
use super::{Format, ImportItem, ImportOptions, lenient, timestamp};
use crate::wire::{NewTurn, Role, Scope};

/// Conversation with its questions.
#[derive(Clone, Debug, Deserialize)]
pub struct Conversation {
    /// Id of the conversation, such as `conv-26`.
    #[serde(default, deserialize_with = "lenient::text")]
    pub sample_id: String,
    /// Questions about the conversation.
    #[serde(default, deserialize_with = "lenient::sound_elements")]
    pub qa: Vec<Qa>,
    /// `speaker_a`, `speaker_b`, and for every N `session_N` and `session_N_date_time`.
    conversation: BTreeMap<String, Value>,
}

/// Benchmark question. The answer is not read, because nothing here needs it.
#[derive(Clone, Debug, Deserialize)]
pub struct Qa {
    /// Text of the question.
    #[serde(default, deserialize_with = "lenient::text")]
    pub question: String,
    /// Turns that have the answer, by `dia_id`; some are malformed in the released file.
    #[serde(default, deserialize_with = "lenient::texts")]
    pub evidence: Vec<String>,
    /// Category: 1 multi-hop, 2 temporal, 3 open-domain, 4 single-hop, 5 adversarial; 0 if the file has none.
    #[serde(default, deserialize_with = "lenient::small_number")]
    pub category: u8,
}

#[derive(Deserialize)]
struct DialogueTurn {
    #[serde(default, deserialize_with = "lenient::optional_text")]
    speaker: Option<String>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    dia_id: Option<String>,
    #[serde(default, deserialize_with = "lenient::words")]
    text: String,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    blip_caption: Option<String>,
}

impl Conversation {
    /// Scope of the conversation's user.
    pub fn scope(&self, options: &ImportOptions) -> Scope {
        Scope::user(format!("{}{}", options.user_prefix, self.sample_id))
    }

    /// Batches of the sessions. `location` is the location of the conversation in errors.
    ///
    /// # Errors
    /// [`FormatError::Shape`] and [`FormatError::Value`] for malformed sessions, and the errors of texts: a conversation
    /// is whole or refused.
    pub fn batches(
        &self,
        options: &ImportOptions,
        location: &SourceLocation,
    ) -> Result<Vec<ImportItem>, FormatError> {
        let options = ImportOptions { strict: true, ..options.clone() };
        let mut batcher = Batcher::new(Format::Locomo, &options);
        self.fill(&options, location, &mut batcher)?;
        Ok(std::iter::from_fn(|| batcher.next()).collect())
    }

    fn fill(
        &self,
        options: &ImportOptions,
        location: &SourceLocation,
        batcher: &mut Batcher,
    ) -> Result<(), FormatError> {
        if self.sample_id.trim().is_empty() {
            let detail = "a conversation needs an id".to_owned();
            return Err(FormatError::Value { location: location.at("sample_id"), detail });
        }
        for (name, list) in &self.conversation {
            if session_number(name).is_none() && (list.is_array() || list.is_object()) {
                let detail = "a list that is no session: sessions are called `session_N`";
                batcher.skip(wrong(&location.at("conversation"), name, detail))?;
            }
        }
        let scope = filled(self.scope(options), &options.scope);
        let mut earlier = None;
        for (name, turns) in self.sessions() {
            let part = format!("conversation.{name}");
            let said_at = match self.date_of(name, location) {
                Ok(date) => date.or_else(|| earlier.clone()),
                Err(error) => {
                    batcher.skip(error)?;
                    continue;
                }
            };
            if said_at.is_none() && !list_of(turns).is_empty() {
                let location = location.at(format!("{part}_date_time"));
                let detail = "the session has no time, nor has one before it".to_owned();
                batcher.skip(FormatError::Value { location, detail })?;
                continue;
            }
            earlier.clone_from(&said_at);
            let conversation = batch::Conversation {
                scope: scope.clone(),
                session: Some(name.to_owned()),
                visibility: None,
            };
            for (seq, turn) in list_of(turns).iter().enumerate() {
                let location = location.at(format!("{part}[{seq}]"));
                let has_words =
                    ["text", "blip_caption", "img_url"].iter().any(|name| turn.get(*name).is_some());
                if turn.is_object() && !has_words {
                    batcher.skip(wrong(&location, "text", "the turn has no text"))?;
                    continue;
                }
                let turn = match DialogueTurn::deserialize(turn) {
                    Ok(turn) => turn,
                    Err(source) => {
                        batcher.skip(FormatError::Shape { location, source })?;
                        continue;
                    }
                };
                let turn = NewTurn {
                    key: turn.dia_id.clone(),
                    position: u32::try_from(seq).ok(),
                    author: turn.speaker.clone(),
                    said_at: said_at.clone(),
                    ..NewTurn::new(Role::User, with_caption(turn))
                };
                let location = location.at(format!("{}.text", location.part));
                batcher.turn(&location, &conversation, || seq.to_string(), turn)?;
            }
            batcher.close();
        }
        Ok(())
    }

    /// Sessions in the order of their numbers. Some files have dates without a session.
    fn sessions(&self) -> impl Iterator<Item = (&str, &Value)> {
        let numbered = self
            .conversation
            .iter()
            .filter_map(|(name, turns)| Some((session_number(name)?, (name.as_str(), turns))));
        // `session_1` and `session_01` are two.
        let mut numbered: Vec<_> = numbered.collect();
        numbered.sort_by_key(|(number, (name, _))| (*number, *name));
        numbered.into_iter().map(|(_, session)| session)
    }

    /// Time of a session; none if it has none.
    fn date_of(&self, session: &str, location: &SourceLocation) -> Result<Option<String>, FormatError> {
        let name = format!("{session}_date_time");
        let Some(date) = self.conversation.get(&name).filter(|date| !is_absent(date)) else {
            return Ok(None);
        };
        timestamp::of_value(date).map(Some).ok_or_else(|| FormatError::Value {
            location: location.at(format!("conversation.{name}")),
            detail: format!("{} is not a time", shown(date)),
        })
    }
}

fn session_number(name: &str) -> Option<u32> {
    name.strip_prefix("session_")?.parse().ok()
}

fn with_caption(turn: DialogueTurn) -> String {
    match turn.blip_caption.filter(|caption| !is_blank(caption)) {
        Some(caption) => format!("{}\n[image: {}]", turn.text, caption.trim()).trim_start().to_owned(),
        None => turn.text,
    }
}

/// Iterator over the conversations of a file, one at a time.
///
/// # Errors
/// [`FormatError::Read`] if the file cannot be opened; the iterator returns the errors of records.
pub fn conversations(path: &Path, options: &ImportOptions) -> Result<Conversations, FormatError> {
    let file = path.display().to_string();
    let source = File::open(path).map_err(|source| FormatError::Read { file: file.clone(), source })?;
    let records = Records::new(unpacked(source, &file)?, file, options.max_record_bytes);
    Ok(Conversations { records, record: Vec::new() })
}

/// Iterator of [`conversations`].
pub struct Conversations {
    records: Records<Source>,
    record: Vec<u8>,
}

impl Iterator for Conversations {
    type Item = Result<(Conversation, SourceLocation), FormatError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.records.next(&mut self.record) {
            Ok(true) => {
                let location = self.records.location().clone();
                Some(
                    parse(&self.record, &location).map(|conversation: Conversation| (conversation, location)),
                )
            }
            Ok(false) => None,
            Err(error) => Some(Err(error)),
        }
    }
}

pub(super) struct LocomoReader {
    options: ImportOptions,
}

impl LocomoReader {
    pub(super) fn new(options: &ImportOptions) -> Self {
        Self { options: options.clone() }
    }
}

impl RecordReader for LocomoReader {
    fn record(
        &mut self,
        record: &[u8],
        location: &SourceLocation,
        batcher: &mut Batcher,
    ) -> Result<(), FormatError> {
        let conversation: Conversation = parse(record, location)?;
        conversation.fill(&self.options, location, batcher)
    }
}
