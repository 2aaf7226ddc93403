//! Iterator of import batches over a file: gzip decoding, record splitting, format detection, and dispatch of each record
//! to the reader of its format.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::batch::Batcher;
use super::chat::ChatReader;
use super::chatgpt::ChatGptReader;
use super::detect::detect;
use super::engrain::EngrainReader;
use super::error::FormatError;
use super::locomo::LocomoReader;
use super::longmemeval::LongMemEvalReader;
use super::mem0::Mem0Reader;
use super::record_reader::RecordReader;
use super::records::Records;
use super::source::{Source, unpacked};
use super::{Format, ImportItem, ImportOptions};

/// Opens a conversation file.
///
/// # Errors
/// [`FormatError::Read`] if the file is unreadable, and the errors of [`read`].
pub fn open(path: &Path, options: &ImportOptions) -> Result<ImportItems, FormatError> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(|source| FormatError::Read { file: name.clone(), source })?;
    read(file, &name, options)
}

/// Reads conversations from `source`, named `name` in errors. Reads the first record at once, to detect the format.
///
/// # Errors
/// [`FormatError::Empty`], [`FormatError::UnknownFormat`], and the errors of the first record's JSON.
pub fn read(
    source: impl Read + Send + 'static,
    name: &str,
    options: &ImportOptions,
) -> Result<ImportItems, FormatError> {
    let mut records = Records::new(unpacked(source, name)?, name, options.max_record_bytes);
    let mut record = Vec::new();
    let begun = records.next(&mut record)?;
    let format = match options.format {
        Some(format) => format,
        None if begun => detect(&record, records.location())?,
        None => return Err(FormatError::Empty { file: name.to_owned() }),
    };
    let batcher = Batcher::new(format, options);
    let reader = record_reader(format, options);
    let state = if begun { State::Waiting } else { State::Finishing };
    Ok(ImportItems { format, records, record, state, reader, batcher, failure: None })
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

/// Iterator of batches. After an error [of one record](FormatError::is_of_one_record) it continues with the next
/// record; after any other it ends.
pub struct ImportItems {
    format: Format,
    records: Records<Source>,
    record: Vec<u8>,
    state: State,
    reader: Box<dyn RecordReader + Send>,
    batcher: Batcher,
    /// Error that ended the reading, returned after the valid batches before it.
    failure: Option<FormatError>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// A record is read but not converted yet.
    Waiting,
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

    /// Number of blank texts left out so far.
    pub fn blank_texts(&self) -> u64 {
        self.batcher.blank_texts()
    }

    /// Converts the next record.
    fn advance(&mut self) -> Result<(), FormatError> {
        match self.state {
            State::Waiting => self.state = State::Reading,
            State::Reading if self.records.next(&mut self.record)? => {}
            State::Reading => {
                self.state = State::Finishing;
                return Ok(());
            }
            State::Finishing | State::Ended => {
                self.state = State::Ended;
                self.batcher.close();
                return self.reader.finish(self.records.location());
            }
        }
        self.reader.record(&self.record, self.records.location(), &mut self.batcher)
    }
}

impl Iterator for ImportItems {
    type Item = Result<ImportItem, FormatError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(item) = self.batcher.next() {
                return Some(Ok(item));
            }
            if self.state == State::Ended {
                return self.failure.take().map(Err);
            }
            match self.advance() {
                Ok(()) => {}
                Err(error) if error.is_of_one_record() => return Some(Err(error)),
                Err(error) => {
                    self.batcher.close();
                    self.state = State::Ended;
                    self.failure = Some(error);
                }
            }
        }
    }
}
