//! Reader of exports of format 2: an iterator of records, which checks the end line.

use std::io::Read;

use crate::formats::error::{FormatError, SourceLocation};
use crate::formats::records::Records;
use crate::formats::repair::parse;
use crate::formats::source::{Source, unpacked};
use crate::wire::{EXPORT_FORMAT, ExportLine, ImportRecord, Scope, ThinkingProfile};

/// First format that this reader reads. Earlier ones lack what it is for.
const FIRST_FORMAT: u32 = 2;

/// Record of an export with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct ArchiveRecord {
    /// Number of the record among the turns and memories of the file, from 0.
    pub number: u64,
    /// Place in the file.
    pub location: SourceLocation,
    /// Owner.
    pub scope: Scope,
    /// The owner's own profile of thinking, if it has one.
    pub thinking: Option<ThinkingProfile>,
    /// The owner's own time zone, if it has one.
    pub timezone: Option<String>,
    /// The record.
    pub record: ImportRecord,
}

/// Iterator of the records of an export. After an error [of one record](FormatError::is_of_one_record) it continues with
/// what follows; after any other it ends. A file without its end line, or with another number of records than that says, is
/// an error at the end.
pub struct ArchiveReader {
    records: Records<Source>,
    record: Vec<u8>,
    owner: Option<OwnerLine>,
    count: u64,
    announced: Option<u64>,
    ended: bool,
}

/// Owner of the records that follow, with its settings.
#[derive(Clone)]
struct OwnerLine {
    scope: Scope,
    thinking: Option<ThinkingProfile>,
    timezone: Option<String>,
}

impl std::fmt::Debug for ArchiveReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ArchiveReader").field("count", &self.count).finish_non_exhaustive()
    }
}

impl ArchiveReader {
    /// Reads the header of `source`, named `name` in errors. `None` if it is no export of Engrain, or one of format 1, which
    /// [`crate::formats::read`] reads.
    ///
    /// # Errors
    /// [`FormatError::Version`] for an export of a later release, and [`FormatError::Read`].
    pub fn open(
        source: impl Read + Send + 'static,
        name: &str,
        max_record_bytes: usize,
    ) -> Result<Option<Self>, FormatError> {
        let mut records = Records::new(unpacked(source, name)?, name, max_record_bytes);
        let mut record = Vec::new();
        match records.next(&mut record) {
            Ok(true) => {}
            Err(error @ FormatError::Read { .. }) => return Err(error),
            Ok(false) | Err(_) => return Ok(None),
        }
        let Ok(ExportLine::Header { format, .. }) = parse(&record, records.location()) else {
            return Ok(None);
        };
        if format < FIRST_FORMAT {
            return Ok(None);
        }
        if format > EXPORT_FORMAT {
            let location = records.location().clone();
            return Err(FormatError::Version { location, found: format, known: EXPORT_FORMAT });
        }
        Ok(Some(Self { records, record, owner: None, count: 0, announced: None, ended: false }))
    }

    fn advance(&mut self) -> Result<Option<ArchiveRecord>, FormatError> {
        loop {
            let more = self.records.next(&mut self.record).inspect_err(|_| self.count += 1)?;
            let location = self.records.location().clone();
            if !more {
                self.ended = true;
                return self.end(location).map(|()| None);
            }
            if self.announced.is_some() {
                self.ended = true;
                return Err(cut_short(location, "data follows the end line"));
            }
            // An invalid line is counted too: its own error reports the loss, so the end line must not report it again.
            let line = parse(&self.record, &location).inspect_err(|_| self.count += 1)?;
            let record = match line {
                ExportLine::Header { .. } => continue,
                ExportLine::Owner { scope, thinking, timezone } => {
                    self.owner = Some(OwnerLine { scope, thinking, timezone });
                    continue;
                }
                ExportLine::End { records, incomplete, .. } => {
                    self.announced = Some(records);
                    if let Some(code) = incomplete {
                        // What came before is whole, and is imported.
                        return Err(cut_short(location, &format!("the export was not complete: {code}")));
                    }
                    continue;
                }
                ExportLine::Turn { turn, memory, history } => {
                    ImportRecord { turn: Some(turn), memory, history }
                }
                ExportLine::Memory { memory, history, .. } => ImportRecord { turn: None, memory, history },
            };
            let number = self.count;
            self.count += 1;
            let Some(OwnerLine { scope, thinking, timezone }) = self.owner.clone() else {
                let detail = "no owner line precedes the record".to_owned();
                return Err(FormatError::Value { location, detail });
            };
            return Ok(Some(ArchiveRecord { number, location, scope, thinking, timezone, record }));
        }
    }

    fn end(&self, location: SourceLocation) -> Result<(), FormatError> {
        match self.announced {
            Some(records) if records == self.count => Ok(()),
            Some(records) => {
                Err(cut_short(location, &format!("it has {} records instead of {records}", self.count)))
            }
            None => Err(cut_short(location, "the end line is missing")),
        }
    }
}

impl Iterator for ArchiveReader {
    type Item = Result<ArchiveRecord, FormatError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.advance().transpose()?;
        if next.as_ref().is_err_and(|error| !error.is_of_one_record()) {
            self.ended = true;
        }
        Some(next)
    }
}

fn cut_short(location: SourceLocation, detail: &str) -> FormatError {
    FormatError::CutShort { location, detail: detail.to_owned() }
}
