//! Iterator of import batches over a file: gzip decoding, record splitting, format detection, and dispatch of each record
//! to the reader of its format.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::batch::Batcher;
use super::chat::ChatReader;
use super::chatgpt::ChatGptReader;
use super::detect::detect;
use super::engrain::EngrainReader;
use super::error::{FormatError, SourceLocation};
use super::locomo::LocomoReader;
use super::longmemeval::LongMemEvalReader;
use super::mem0::Mem0Reader;
use super::record_reader::RecordReader;
use super::records::Records;
use super::source::{Source, unpacked};
use super::{Format, ImportItem, ImportOptions, LeftOut};

/// Maximum number of records that are read to detect the format.
const MAX_EARLY_RECORDS: usize = 100;

/// Opens a conversation file.
///
/// # Errors
/// [`FormatError::Read`] if the file is unreadable, and the errors of [`read`].
pub fn open(path: &Path, options: &ImportOptions) -> Result<ImportItems, FormatError> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(|source| FormatError::Read { file: name.clone(), source })?;
    read(file, &name, options)
}

/// Reads conversations from `source`, named `name` in errors. Reads the first records at once, until one of them tells
/// the format.
///
/// # Errors
/// [`FormatError::Empty`], [`FormatError::UnknownFormat`], [`FormatError::Archive`] for a ZIP archive (see
/// [`super::inputs()`]), and the error of the first record if no record tells the format.
pub fn read(
    source: impl Read + Send + 'static,
    name: &str,
    options: &ImportOptions,
) -> Result<ImportItems, FormatError> {
    let mut records = Records::new(unpacked(source, name)?, name, options.max_record_bytes);
    let (format, early) = match options.format {
        Some(format) => (format, VecDeque::new()),
        None => detected(&mut records, name, options)?,
    };
    Ok(ImportItems {
        format,
        early,
        location: records.location().clone(),
        records,
        record: Vec::new(),
        state: State::Reading,
        strict: options.strict,
        reader: record_reader(format, options),
        batcher: Batcher::new(format, options),
        failure: None,
    })
}

/// Record, or fault, that was read to detect the format.
type Early = Result<(Vec<u8>, SourceLocation), FormatError>;

/// Reads records until one tells the format. Odd records before it are no reason to refuse the file.
fn detected(
    records: &mut Records<Source>,
    name: &str,
    options: &ImportOptions,
) -> Result<(Format, VecDeque<Early>), FormatError> {
    let (mut early, mut bytes, mut refused) = (VecDeque::new(), 0, None);
    while early.len() < MAX_EARLY_RECORDS && bytes <= options.max_record_bytes {
        let mut record = Vec::new();
        match records.next(&mut record) {
            Ok(false) => break,
            Ok(true) => {
                bytes += record.len();
                let format = detect(&record, records.location());
                early.push_back(Ok((record, records.location().clone())));
                match format {
                    Ok(format) => return Ok((format, early)),
                    Err(error) => refused = refused.or(Some(error)),
                }
            }
            Err(error) if error.is_of_one_record() => early.push_back(Err(error)),
            Err(error) => return Err(error),
        }
    }
    let fault = early.into_iter().find_map(Result::err);
    Err(refused.or(fault).unwrap_or_else(|| FormatError::Empty { file: name.to_owned() }))
}

fn record_reader(format: Format, options: &ImportOptions) -> Box<dyn RecordReader + Send> {
    match format {
        Format::LongMemEval => Box::new(LongMemEvalReader::new(options)),
        Format::Locomo => Box::new(LocomoReader::new(options)),
        Format::Chat => Box::new(ChatReader::new(options)),
        Format::ChatGpt => Box::new(ChatGptReader::new(options)),
        Format::Mem0 => Box::new(Mem0Reader::new(options)),
        Format::Engrain => Box::new(EngrainReader::default()),
    }
}

/// Iterator of batches. After an error [of one record](FormatError::is_of_one_record) it continues with what follows;
/// after any other, and with [`ImportOptions::strict`], it ends. What was read before the fault is returned.
pub struct ImportItems {
    format: Format,
    /// Records read to detect the format.
    early: VecDeque<Early>,
    records: Records<Source>,
    /// Location of the record being converted.
    location: SourceLocation,
    record: Vec<u8>,
    state: State,
    strict: bool,
    reader: Box<dyn RecordReader + Send>,
    batcher: Batcher,
    /// Error that ended the reading, returned after the valid batches before it.
    failure: Option<FormatError>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Reading,
    /// There are no more records.
    Finishing,
    Ended,
}

impl ImportItems {
    /// Format of the file.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Parts left out on purpose so far.
    pub fn left_out(&self) -> LeftOut {
        self.batcher.left_out()
    }

    /// Reads the next record; false after the last.
    fn read(&mut self) -> Result<bool, FormatError> {
        match self.early.pop_front() {
            Some(early) => (self.record, self.location) = early?,
            None => {
                let more = self.records.next(&mut self.record)?;
                self.location.clone_from(self.records.location());
                return Ok(more);
            }
        }
        Ok(true)
    }

    /// Converts the next record.
    fn advance(&mut self) -> Result<(), FormatError> {
        if self.state == State::Reading {
            if self.read().inspect_err(|_| self.reader.lost(&mut self.batcher))? {
                return self.reader.record(&self.record, &self.location, &mut self.batcher);
            }
            self.state = State::Finishing;
            return Ok(());
        }
        self.state = State::Ended;
        self.batcher.close();
        self.reader.finish(self.records.location())
    }
}

impl Iterator for ImportItems {
    type Item = Result<ImportItem, FormatError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(item) = self.batcher.next() {
                return Some(Ok(item));
            }
            if let Some(skipped) = self.batcher.next_skip() {
                return Some(Err(skipped));
            }
            if self.state == State::Ended {
                return self.failure.take().map(Err);
            }
            match self.advance() {
                Ok(()) => {}
                Err(error) if error.is_of_one_record() && !self.strict => return Some(Err(error)),
                Err(error) => {
                    self.batcher.close();
                    self.state = State::Ended;
                    self.failure = Some(error);
                }
            }
        }
    }
}
