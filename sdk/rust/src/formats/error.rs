//! Locations in import files, and errors of reading them.

use std::fmt;

/// Location in an import file.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct SourceLocation {
    /// Name of the file, as given.
    pub file: String,
    /// Record number, from 1: an element of a JSON array, or a line; 0 before the first.
    pub record: u64,
    /// Line on which the record begins, from 1.
    pub line: u64,
    /// Path of the field in the record, such as `haystack_sessions[3][0].content`; empty for the whole record.
    pub part: String,
}

impl SourceLocation {
    /// Location of a field of the same record.
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

/// Failure to read an import file or one of its records.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// The file is unreadable.
    #[error("{file}: cannot be read")]
    Read {
        /// Name of the file.
        file: String,
        /// Cause.
        #[source]
        source: std::io::Error,
    },
    /// The file has no record.
    #[error("{file}: the file has no record")]
    Empty {
        /// Name of the file.
        file: String,
    },
    /// The format is unknown.
    #[error("{location}: unknown format; the record has the fields: {fields}")]
    UnknownFormat {
        /// Location of the examined record.
        location: SourceLocation,
        /// Beginning of the list of its fields.
        fields: String,
    },
    /// The file is not valid JSON from here on.
    #[error("{location}, line {at_line}: not JSON: {detail}")]
    Syntax {
        /// Location of the record with the fault.
        location: SourceLocation,
        /// Line of the file with the fault.
        at_line: u64,
        /// Description of the fault.
        detail: &'static str,
    },
    /// The file is a damaged or unsupported archive, or expands beyond the limits.
    #[error("{file}: {detail}")]
    Archive {
        /// Name of the file.
        file: String,
        /// Description of the fault.
        detail: String,
    },
    /// Further faults of a record, beyond the number that is named.
    #[error("{location}: {count} more parts of the record cannot be read")]
    Unnamed {
        /// Location of the record.
        location: SourceLocation,
        /// Number of parts.
        count: u64,
    },
    /// A record exceeds the size limit.
    #[error("{location}: the record is longer than {limit_bytes} bytes")]
    RecordTooLong {
        /// Location of the record.
        location: SourceLocation,
        /// Limit in bytes.
        limit_bytes: usize,
    },
    /// The file is incomplete.
    #[error("{location}: the file is incomplete: {detail}")]
    CutShort {
        /// Location of the last record.
        location: SourceLocation,
        /// Description of the fault.
        detail: String,
    },
    /// A record is damaged, and perhaps took others along.
    #[error("{location}: not JSON: the {bytes} bytes from byte {from_byte} on are skipped")]
    Damaged {
        /// Location of the record.
        location: SourceLocation,
        /// Position of its first byte in the decompressed file, from 0.
        from_byte: u64,
        /// Number of bytes that are skipped.
        bytes: u64,
    },
    /// The rest of the file cannot be read. The number of records in it is not known.
    #[error(
        "{location}: the file is incomplete: {detail}; the {bytes} bytes from byte {from_byte} on cannot be read"
    )]
    RestLost {
        /// Location of the record that has no end.
        location: SourceLocation,
        /// Description of the fault.
        detail: &'static str,
        /// Position of the first lost byte in the decompressed file, from 0.
        from_byte: u64,
        /// Number of lost bytes.
        bytes: u64,
    },
    /// The file has an unsupported version of the format.
    #[error("{location}: the export has version {found}; this reader supports version {known}")]
    Version {
        /// Location of the record with the version.
        location: SourceLocation,
        /// Version of the file.
        found: u32,
        /// Supported version.
        known: u32,
    },
    /// A record does not match its format.
    #[error("{location}: the record does not match its format")]
    Shape {
        /// Location of the record.
        location: SourceLocation,
        /// Description of the fault, with line and column within the record.
        #[source]
        source: serde_json::Error,
    },
    /// A field has an invalid value.
    #[error("{location}: {detail}")]
    Value {
        /// Location of the field.
        location: SourceLocation,
        /// Description of the fault.
        detail: String,
    },
    /// A text exceeds the maximum length of a memory.
    #[error("{location}: a text of {bytes} bytes; a memory has at most {limit_bytes}")]
    TextTooLong {
        /// Location of the text.
        location: SourceLocation,
        /// Length of the text in bytes.
        bytes: usize,
        /// Limit in bytes.
        limit_bytes: usize,
    },
}

impl FormatError {
    /// True if only this record, or a part of it, is lost and reading can continue with what follows.
    pub fn is_of_one_record(&self) -> bool {
        matches!(
            self,
            Self::Shape { .. }
                | Self::Value { .. }
                | Self::TextTooLong { .. }
                | Self::Syntax { .. }
                | Self::RecordTooLong { .. }
                | Self::Damaged { .. }
                | Self::Unnamed { .. }
        )
    }

    /// True if the file is sound but nothing that an importer reads: it has no record, or none of a known format.
    pub fn is_of_foreign_file(&self) -> bool {
        matches!(self, Self::Empty { .. } | Self::UnknownFormat { .. })
    }
}
