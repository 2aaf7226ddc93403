//! Reader of exports of format 2: an iterator of records, which checks the end line.

use std::io::Read;

use crate::formats::error::{FormatError, SourceLocation};
use crate::formats::export_tally::{Tally, follows_the_end, is_owner_line, of_other_format};
use crate::formats::records::Records;
use crate::formats::repair::parse;
use crate::formats::source::{Source, unpacked};
use crate::wire::{EXPORT_FORMAT, ExportLine, ExportedOwner, ImportRecord};

/// First format that this reader reads. Earlier ones lack what it is for.
const FIRST_FORMAT: u32 = 2;

/// Record of an export with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct ArchiveRecord {
    /// Number of the record among the turns and memories of the file, from 0.
    pub number: u64,
    /// Place in the file.
    pub location: SourceLocation,
    /// Owner, with its settings.
    pub owner: ExportedOwner,
    /// The record.
    pub record: ImportRecord,
}

/// Iterator of the records of an export. After an error [of one record](FormatError::is_of_one_record) it continues with
/// what follows; after any other it ends. A file without its end line, or with another number of records than that says, is
/// an error at the end. A header begins another export, as in files that were written one after another.
pub struct ArchiveReader {
    records: Records<Source>,
    record: Vec<u8>,
    /// Owner of the records that follow.
    owner: Option<ExportedOwner>,
    /// Number of records of the exports before the present one.
    before: u64,
    tally: Tally,
    ended: bool,
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
            let next = self.records.next(&mut self.record);
            let location = self.records.location().clone();
            if next.is_err() {
                self.meet_invalid_line(&location);
            }
            let more = next?;
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
            if line.is_err() {
                self.meet_invalid_line(&location);
            }
            let record = match line? {
                ExportLine::Header { .. } => continue,
                ExportLine::Owner(owner) => {
                    self.owner = Some(owner);
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
            let Some(owner) = self.owner.clone() else {
                let detail = "no valid owner line precedes the record".to_owned();
                return Err(FormatError::Value { location, detail });
            };
            return Ok(Some(ArchiveRecord { number, location, owner, record }));
        }
    }

    /// Takes note of a line that cannot be read. The records after an invalid owner line belong to none, and not to the
    /// owner before it.
    fn meet_invalid_line(&mut self, location: &SourceLocation) {
        match is_owner_line(&self.record, location) {
            true => self.owner = None,
            false => self.tally.count += 1,
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
