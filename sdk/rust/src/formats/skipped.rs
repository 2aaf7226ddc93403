//! Skipped records of an import: location, reason, and number of parts, without the text of the record.

use serde::Serialize;

use super::error::{FormatError, SourceLocation};

/// Maximum length of a reason, in characters.
const MAX_REASON_CHARS: usize = 300;

/// Record, part of a record, or file that was not imported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// Location in the files. Record 0 means the whole file.
    #[serde(flatten)]
    pub location: SourceLocation,
    /// Reason, at most 300 characters; may quote a value of at most 60 characters.
    pub reason: String,
    /// Number of records or parts, at least 1.
    pub count: u64,
    /// Length of the rest of the file in bytes, if it cannot be read: then `count` is 1, and nobody knows the number of
    /// records.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rest_bytes: Option<u64>,
}

impl Skipped {
    pub(super) fn new(location: SourceLocation, reason: &str) -> Self {
        Self { location, reason: reason.chars().take(MAX_REASON_CHARS).collect(), count: 1, rest_bytes: None }
    }
}

impl From<&FormatError> for Skipped {
    fn from(error: &FormatError) -> Self {
        let whole = |file: &str| SourceLocation { file: file.to_owned(), ..SourceLocation::default() };
        let (location, count) = match error {
            FormatError::Read { file, .. }
            | FormatError::Empty { file }
            | FormatError::Archive { file, .. } => (whole(file), 1),
            FormatError::Unnamed { location, count } => (location.clone(), *count),
            FormatError::UnknownFormat { location, .. }
            | FormatError::Syntax { location, .. }
            | FormatError::RecordTooLong { location, .. }
            | FormatError::CutShort { location, .. }
            | FormatError::Damaged { location, .. }
            | FormatError::RestLost { location, .. }
            | FormatError::Version { location, .. }
            | FormatError::Shape { location, .. }
            | FormatError::Value { location, .. }
            | FormatError::TextTooLong { location, .. } => (location.clone(), 1),
        };
        // The message begins with the location, which is a field of its own here.
        let told = error.to_string();
        let told = [location.to_string(), location.file.clone()]
            .iter()
            .find_map(|prefix| told.strip_prefix(prefix.as_str()))
            .map(|rest| rest.trim_start_matches([':', ',', ' ']).to_owned())
            .unwrap_or(told);
        let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
        let rest_bytes = match error {
            FormatError::RestLost { bytes, .. } => Some(*bytes),
            _ => None,
        };
        Self { count, rest_bytes, ..Self::new(location, &format!("{told}{cause}")) }
    }
}

impl std::fmt::Display for Skipped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.location.record {
            0 => write!(f, "{}: {}", self.location.file, self.reason),
            _ => write!(f, "{}: {}", self.location, self.reason),
        }
    }
}

/// Contents that are left out on purpose. They are no faults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Texts that are empty, or white space only.
    pub blank_texts: u64,
    /// Messages that the other program does not show.
    pub hidden_messages: u64,
    /// Calls of tools, their output, and reasoning, which nobody said.
    pub tool_messages: u64,
    /// Files of a folder or archive that are not conversations.
    pub other_files: u64,
}

impl std::ops::AddAssign for LeftOut {
    fn add_assign(&mut self, other: Self) {
        self.blank_texts += other.blank_texts;
        self.hidden_messages += other.hidden_messages;
        self.tool_messages += other.tool_messages;
        self.other_files += other.other_files;
    }
}
