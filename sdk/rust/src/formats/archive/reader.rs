//! Reader of exports of format 2: an iterator of records, which checks the end line.

use std::io::Read;

use crate::formats::error::{FormatError, SourceLocation};
use crate::formats::export_tally::{Tally, follows_the_end, of_other_format};
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
/// an error at the end. A header begins another export, as in files that were written one after another.
pub struct ArchiveReader {
    records: Records<Source>,
    record: Vec<u8>,
    owner: Option<OwnerLine>,
    /// Number of records of the exports before the present one.
    before: u64,
    tally: Tally,
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
        f.debug_struct("ArchiveReader").field("before", &self.before).finish_non_exhaustive()
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
        Ok(Some(Self { records, record, owner: None, before: 0, tally: Tally::default(), ended: false }))
    }

    fn advance(&mut self) -> Result<Option<ArchiveRecord>, FormatError> {
        loop {
            let more = self.records.next(&mut self.record).inspect_err(|_| self.tally.count += 1)?;
            let location = self.records.location().clone();
            if !more {
                self.ended = true;
                return self.tally.end(&location).map(|()| None);
            }
            // An invalid line is counted too: its own error reports the loss, so the end line must not report it again.
            let line = match parse(&self.record, &location) {
                Ok(ExportLine::Header { format, .. }) => {
                    self.begin(format, &location)?;
                    continue;
                }
                line => line,
            };
            if self.tally.has_ended() {
                self.ended = true;
                return Err(follows_the_end(&location));
            }
            let record = match line.inspect_err(|_| self.tally.count += 1)? {
                ExportLine::Header { .. } => continue,
                ExportLine::Owner { scope, thinking, timezone } => {
                    self.owner = Some(OwnerLine { scope, thinking, timezone });
                    continue;
                }
                ExportLine::End { records, incomplete, .. } => {
                    self.tally.announced = Some(records);
                    if let Some(code) = incomplete {
                        // The records before it are whole, and are imported.
                        let detail = format!("the export was not complete: {code}");
                        return Err(FormatError::CutShort { location, detail });
                    }
                    continue;
                }
                ExportLine::Turn { turn, memory, history } => {
                    ImportRecord { turn: Some(turn), memory, history }
                }
                ExportLine::Memory { memory, history, .. } => ImportRecord { turn: None, memory, history },
            };
            let number = self.before + self.tally.count;
            self.tally.count += 1;
            let Some(OwnerLine { scope, thinking, timezone }) = self.owner.clone() else {
                let detail = "no owner line precedes the record".to_owned();
                return Err(FormatError::Value { location, detail });
            };
            return Ok(Some(ArchiveRecord { number, location, scope, thinking, timezone, record }));
        }
    }

    /// Begins the next export of the file.
    fn begin(&mut self, format: u32, location: &SourceLocation) -> Result<(), FormatError> {
        if format > EXPORT_FORMAT {
            return Err(FormatError::Version {
                location: location.clone(),
                found: format,
                known: EXPORT_FORMAT,
            });
        }
        if format < FIRST_FORMAT {
            return Err(of_other_format(location, format));
        }
        self.owner = None;
        self.before += self.tally.count;
        std::mem::take(&mut self.tally).end_before_another(location)
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
