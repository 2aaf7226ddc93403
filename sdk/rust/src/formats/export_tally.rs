//! Count of the records of an Engrain export against its end line, for each export of a file.

use serde::Deserialize;

use super::error::{FormatError, SourceLocation};
use super::repair::parse;

/// Beginning of an owner line as exports write it.
const OWNER_LINE: &[u8] = br#"{"record":"owner""#;

/// Records of the present export.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    /// Number of records so far, those that cannot be read included.
    pub(super) count: u64,
    /// Number of records that the end line says.
    pub(super) announced: Option<u64>,
}

impl Tally {
    /// True after the end line.
    pub(super) fn has_ended(&self) -> bool {
        self.announced.is_some()
    }

    /// Checks an export at the end of the file.
    ///
    /// # Errors
    /// [`FormatError::CutShort`] without an end line, and with another number of records.
    pub(super) fn end(&self, location: &SourceLocation) -> Result<(), FormatError> {
        let Some(detail) = self.fault() else { return Ok(()) };
        Err(FormatError::CutShort { location: location.clone(), detail })
    }

    /// Checks an export that another one follows. The header of a file is no such end.
    ///
    /// # Errors
    /// [`FormatError::Value`], after which reading goes on with the next export.
    pub(super) fn end_before_another(&self, location: &SourceLocation) -> Result<(), FormatError> {
        let is_first = self.count == 0 && self.announced.is_none();
        let Some(detail) = self.fault().filter(|_| !is_first) else { return Ok(()) };
        let detail = format!("the export before this header is incomplete: {detail}");
        Err(FormatError::Value { location: location.clone(), detail })
    }

    fn fault(&self) -> Option<String> {
        match self.announced {
            Some(records) if records == self.count => None,
            Some(records) => Some(format!("it has {} records instead of {records}", self.count)),
            None => Some("the end line is missing".to_owned()),
        }
    }
}

/// True if a line that is no valid [`ExportLine`](crate::wire::ExportLine) is that of an owner: its settings may be of a later
/// release, or damaged.
pub(super) fn is_owner_line(line: &[u8], location: &SourceLocation) -> bool {
    #[derive(Deserialize)]
    struct Tagged {
        record: String,
    }
    match parse::<Tagged>(line, location) {
        Ok(tagged) => tagged.record == "owner",
        Err(_) => line.trim_ascii_start().starts_with(OWNER_LINE),
    }
}

/// Error for a record after an end line.
pub(super) fn follows_the_end(location: &SourceLocation) -> FormatError {
    let detail = "data other than another export follows the end line, and is not read".to_owned();
    FormatError::CutShort { location: location.clone(), detail }
}

/// Error for an export that has to be read in another way than those before it.
pub(super) fn of_other_format(location: &SourceLocation, format: u32) -> FormatError {
    let detail = format!(
        "an export of format {format} follows one of another format, and is not read; divide the file"
    );
    FormatError::CutShort { location: location.clone(), detail }
}
