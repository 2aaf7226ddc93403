//! Moments as files of conversations tell them.

use jiff::Timestamp;
use jiff::tz::Offset;

/// Moment, with the offset from UTC that it is written with.
#[derive(Clone, Copy, Debug)]
pub(super) struct LocalInstant {
    pub(super) at: Timestamp,
    /// Zero is no place: programs write all their times so.
    pub(super) offset: Option<Offset>,
}

impl LocalInstant {
    /// RFC 3339: in the local time of the offset, else in UTC.
    pub(super) fn to_text(self) -> String {
        match self.offset.filter(|offset| !offset.is_zero()) {
            Some(offset) => self.at.display_with_offset(offset).to_string(),
            None => self.at.to_string(),
        }
    }
}

impl From<Timestamp> for LocalInstant {
    fn from(at: Timestamp) -> Self {
        Self { at, offset: None }
    }
}
