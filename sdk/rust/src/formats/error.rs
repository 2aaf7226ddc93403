//! Where in a file something is, and what can be wrong with it there.

use std::fmt;

/// A place in a file of conversations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceLocation {
    /// The file, as it was named.
    pub file: String,
    /// The record, from 1: an element of a JSON array, or a line; 0 before the first.
    pub record: u64,
    /// The line on which the record begins, from 1.
    pub line: u64,
    /// The part of the record, such as `haystack_sessions[3][0].content`; empty for all of it.
    pub part: String,
}

impl SourceLocation {
    /// The same record, more precisely.
    pub(super) fn at(&self, part: impl Into<String>) -> Self {
        Self { part: part.into(), ..self.clone() }
    }
}

impl fmt::Display for SourceLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, record {} (line {})", self.file, self.record, self.line)?;
        if self.part.is_empty() { Ok(()) } else { write!(f, ", {}", self.part) }
    }
}

/// Why a file, or a record of it, cannot be imported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// The file cannot be read.
    #[error("{file}: cannot be read")]
    Read {
        /// The file.
        file: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// There is nothing in the file.
    #[error("{file}: there is no record in it")]
    Empty {
        /// The file.
        file: String,
    },
    /// The file is of no known format.
    #[error("{location}: of no known format; its fields are: {fields}")]
    UnknownFormat {
        /// The record that was looked at.
        location: SourceLocation,
        /// The beginning of the list of its fields.
        fields: String,
    },
    /// The file is no JSON from here on.
    #[error("{location}, line {at_line}: not JSON: {detail}")]
    Syntax {
        /// The record in which it shows.
        location: SourceLocation,
        /// The line of the file on which it shows.
        at_line: u64,
        /// What is wrong.
        detail: &'static str,
    },
    /// A record is beyond what is held in memory at once.
    #[error("{location}: the record is longer than {limit_bytes} bytes")]
    RecordTooLong {
        /// The record.
        location: SourceLocation,
        /// The bound.
        limit_bytes: usize,
    },
    /// The file ends before its end.
    #[error("{location}: the file is cut short: {detail}")]
    CutShort {
        /// The last record.
        location: SourceLocation,
        /// How that shows.
        detail: String,
    },
    /// The file's format is of another version.
    #[error("{location}: the export is of version {found}; this reader knows version {known}")]
    Version {
        /// The record that says so.
        location: SourceLocation,
        /// The version it names.
        found: u32,
        /// The version known here.
        known: u32,
    },
    /// A record is not as its format wants it.
    #[error("{location}: not a record of its format")]
    Shape {
        /// The record.
        location: SourceLocation,
        /// What is wrong, with line and column within the record.
        #[source]
        source: serde_json::Error,
    },
    /// A field has a value that cannot be used.
    #[error("{location}: {detail}")]
    Value {
        /// The field.
        location: SourceLocation,
        /// What is wrong with it.
        detail: String,
    },
    /// A text is longer than a memory may be.
    #[error("{location}: a text of {bytes} bytes; a memory has at most {limit_bytes}")]
    TextTooLong {
        /// The text.
        location: SourceLocation,
        /// Its length.
        bytes: usize,
        /// The bound.
        limit_bytes: usize,
    },
}

impl FormatError {
    /// Whether reading can go on with the next record: only this one is lost.
    pub fn is_of_one_record(&self) -> bool {
        matches!(self, Self::Shape { .. } | Self::Value { .. } | Self::TextTooLong { .. })
    }
}
