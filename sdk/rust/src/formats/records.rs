//! Splitter of a byte stream into JSON records, with at most one record in memory: the elements of one array, or a
//! sequence of values such as JSON lines. It tracks only brackets and strings; serde_json validates the records.
//!
//! A malformed or too long record is one error, after which the splitter goes on: in a sequence at the next line that
//! begins a value, in an array at the next element. Where it finds none, the error tells the number of bytes that are lost.
//!
//! Invariants: memory is bounded by three times the maximum record size for any input; every call makes progress, so a file
//! of n bytes has at most n + 2 records and errors.

use std::io::BufRead;

use super::error::{FormatError, SourceLocation};
use super::layout::{Expect, Layout};
use super::recovery::{first_key, next_record};
use super::scan::{Margin, Scan, Step};

/// Records of a file.
pub(super) struct Records<R> {
    source: R,
    /// Bytes given back by a record that turned out to be several, and how many of them are consumed again.
    returned: (Vec<u8>, usize),
    location: SourceLocation,
    line: u64,
    /// Column of the next byte, or none if the line has more than white space before it.
    column: Option<usize>,
    layout: Layout,
    margin: Margin,
    limit_bytes: usize,
    /// Position in the file of the next byte.
    offset: u64,
    /// First key of the last sound record.
    key: Option<Vec<u8>>,
    /// Rest of [`MAX_EXAMINED_BYTES`].
    examinable: usize,
}

/// Maximum number of bytes of a file that are examined to find records behind damaged ones.
const MAX_EXAMINED_BYTES: usize = 64 << 20;
/// Number of bytes that are examined at a time, and at least for a damaged record.
const EXAMINED_AT_A_TIME: usize = 1 << 10;
/// UTF-8 byte order mark, with which some programs begin a file.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

impl<R: BufRead> Records<R> {
    pub(super) fn new(source: R, file: impl Into<String>, limit_bytes: usize) -> Self {
        let location = SourceLocation { file: file.into(), ..SourceLocation::default() };
        let (layout, margin) = (Layout::Unknown, Margin::default());
        let returned = (Vec::new(), 0);
        Self {
            source,
            returned,
            location,
            line: 1,
            column: Some(0),
            layout,
            margin,
            limit_bytes,
            offset: 0,
            key: None,
            examinable: MAX_EXAMINED_BYTES,
        }
    }

    /// Beginning of the last record read.
    pub(super) fn location(&self) -> &SourceLocation {
        &self.location
    }

    /// Reads the next record into `record`; false after the last. After an error
    /// [of one record](FormatError::is_of_one_record) there may be a next one, after any other there is none.
    pub(super) fn next(&mut self, record: &mut Vec<u8>) -> Result<bool, FormatError> {
        record.clear();
        let read = self.read(record);
        let goes_on = match &read {
            Ok(more) => *more,
            Err(error) => error.is_of_one_record(),
        };
        if !goes_on {
            self.layout = Layout::Ended;
        }
        read
    }

    fn read(&mut self, record: &mut Vec<u8>) -> Result<bool, FormatError> {
        if self.layout == Layout::Unknown {
            self.begin()?;
        }
        loop {
            let byte = self.peek_token()?;
            self.layout = match (self.layout, byte) {
                (Layout::Ended, _) | (Layout::Unknown | Layout::Sequence, None) => return Ok(false),
                (Layout::Sequence, Some(b',')) if self.location.record > 0 => {
                    self.consume(1);
                    continue;
                }
                (Layout::Unknown | Layout::Sequence, Some(_)) => Layout::Sequence,
                (Layout::Array { .. }, None) => return Err(self.cut_short("the array has no end")),
                (Layout::Array { element: Expect::First | Expect::Comma | Expect::Any }, Some(b']')) => {
                    self.consume(1);
                    match self.peek_token()? {
                        None => return Ok(false),
                        Some(b'[') => {
                            self.consume(1);
                            self.layout = Layout::Array { element: Expect::First };
                            continue;
                        }
                        Some(_) => {
                            self.layout = Layout::Sequence;
                            self.margin = Margin { column: Some(0), ..Margin::default() };
                            return Err(self.syntax("something follows the array"));
                        }
                    }
                }
                (Layout::Array { element: Expect::Comma | Expect::Any }, Some(b',')) => {
                    self.consume(1);
                    self.layout = Layout::Array { element: Expect::Another };
                    continue;
                }
                (Layout::Array { element: Expect::Comma }, Some(_)) => {
                    self.layout = Layout::Array { element: Expect::Any };
                    return Err(self.syntax("a comma is missing between two elements"));
                }
                (Layout::Array { element }, Some(_)) => {
                    if element == Expect::First || self.margin.column.is_none() {
                        self.margin = Margin { column: self.column, breaks_in_texts: true, ..self.margin };
                    }
                    Layout::Array { element: Expect::Comma }
                }
            };
            self.location.record += 1;
            self.location.line = self.line;
            self.value(record)?;
            return Ok(true);
        }
    }

    /// Detects the layout of the file.
    fn begin(&mut self) -> Result<(), FormatError> {
        // All three bytes are needed to recognise the mark, and a source may return them one by one.
        if self.peek()? == Some(BYTE_ORDER_MARK[0]) {
            for expected in BYTE_ORDER_MARK {
                if self.peek()? == Some(*expected) {
                    self.consume(1);
                }
            }
            self.column = Some(0);
        }
        self.margin = Margin { column: Some(0), ..Margin::default() };
        if self.peek_token()? == Some(b'[') {
            self.consume(1);
            self.layout = Layout::Array { element: Expect::First };
        }
        Ok(())
    }

    /// Reads one value, from its first byte to its last.
    fn value(&mut self, record: &mut Vec<u8>) -> Result<(), FormatError> {
        let (mut scan, first_line, start) = (Scan::new(self.margin), self.line, self.offset);
        let (mut too_long, mut was_broken) = (false, false);
        let is_element = matches!(self.layout, Layout::Array { .. });
        loop {
            let was_too_long = too_long;
            let (taken, step) = self.scan_on(&mut scan, is_element && !was_broken, record, &mut too_long)?;
            let at_end = taken == 0 && step == Step::More;
            if is_element && !too_long && !was_broken && scan.is_broken() {
                was_broken = true;
                if self.recover(record)? {
                    return Err(self.damaged(start));
                }
            }
            let ends_well = matches!(step, Step::Last | Step::Past) || (at_end && scan.is_bare());
            let fails = too_long || at_end || !matches!(step, Step::More);
            let may_be_several = scan.is_ambiguous() && !was_too_long && self.layout == Layout::Sequence;
            if fails && !ends_well && may_be_several && !self.margin.one_line_records {
                return Err(self.give_back(record, first_line));
            }
            let failure = match step {
                _ if ends_well && !too_long => {
                    self.margin.one_line_records |=
                        self.layout == Layout::Sequence && !record.contains(&b'\n');
                    if was_broken {
                        return Err(self.damaged(start));
                    }
                    self.key = first_key(record);
                    return Ok(());
                }
                Step::More if !at_end => continue,
                Step::More | Step::Last | Step::Past if at_end && !ends_well => {
                    if is_element && !too_long && self.recover(record)? {
                        return Err(self.damaged(start));
                    }
                    return Err(self.rest_lost(start, "the record has no end"));
                }
                _ if too_long => {
                    let (location, limit_bytes) = (self.location.clone(), self.limit_bytes);
                    FormatError::RecordTooLong { location, limit_bytes }
                }
                Step::Cut => self.syntax("the record is cut off"),
                Step::Wrong(detail) => self.syntax(detail),
                Step::More | Step::Last | Step::Past => self.cut_short("the record has no end"),
            };
            if matches!(step, Step::Wrong(_)) {
                self.resynchronise()?;
            } else if let (Step::Cut, Layout::Array { .. }) = (step, self.layout) {
                self.layout = Layout::Array { element: Expect::Any };
            }
            return Err(failure);
        }
    }

    /// Scans the bytes that are available; ends before one that is not of the value, after its last, and at the first one
    /// that JSON forbids if `stops_at_fault`. Returns the number of bytes taken, and the last step.
    fn scan_on(
        &mut self,
        scan: &mut Scan,
        stops_at_fault: bool,
        record: &mut Vec<u8>,
        too_long: &mut bool,
    ) -> Result<(usize, Step), FormatError> {
        let limit_bytes = self.limit_bytes;
        let available = self.fill()?;
        let (mut taken, mut breaks, mut step) = (0, 0, Step::More);
        for &byte in available {
            step = scan.step(byte);
            if !matches!(step, Step::More | Step::Last) {
                break;
            }
            breaks += u64::from(byte == b'\n');
            taken += 1;
            if step == Step::Last || (stops_at_fault && scan.is_broken()) {
                break;
            }
        }
        // A record beyond the bound is scanned to its end, but not kept.
        if !*too_long {
            record.extend_from_slice(available.get(..taken).unwrap_or_default());
            *too_long = record.len() > limit_bytes;
        }
        self.line += breaks;
        self.advance(taken);
        self.column = None;
        Ok((taken, step))
    }

    /// Goes back to the record behind the damaged `record`, as far as it is read; false if there is none.
    fn recover(&mut self, record: &[u8]) -> Result<bool, FormatError> {
        if self.examinable == 0 {
            return Ok(false);
        }
        let keys: Vec<Vec<u8>> = first_key(record).into_iter().chain(self.key.clone()).collect();
        let (mut window, mut budget) = (record.to_vec(), self.examinable.min(self.limit_bytes));
        let before = budget;
        let found = next_record(&mut window, record.len(), &keys, &mut budget, &mut |window| {
            let available = self.fill()?;
            let count = available.len().min(EXAMINED_AT_A_TIME);
            window.extend_from_slice(available.get(..count).unwrap_or_default());
            self.advance(count);
            Ok(count > 0)
        })?;
        self.examinable = self.examinable.saturating_sub((before - budget).max(EXAMINED_AT_A_TIME));
        let next = found.unwrap_or(record.len());
        let breaks =
            |bytes: Option<&[u8]>| bytes.unwrap_or_default().iter().filter(|byte| **byte == b'\n').count();
        self.line -= breaks(record.get(next..)) as u64;
        self.line += breaks(window.get(record.len()..next)) as u64;
        self.return_bytes(window.get(next..).unwrap_or_default());
        if found.is_some() {
            self.layout = Layout::Array { element: Expect::Another };
        }
        Ok(found.is_some())
    }

    /// Makes `bytes` the next ones to be read, before those that would be.
    fn return_bytes(&mut self, bytes: &[u8]) {
        self.offset = self.offset.saturating_sub(bytes.len() as u64);
        // Bytes that were returned before are only rewound, or many damaged records would copy it as many times.
        if bytes.len() <= self.returned.1 {
            self.returned.1 -= bytes.len();
            return;
        }
        let mut returned = bytes.to_vec();
        returned.extend_from_slice(self.returned.0.get(self.returned.1..).unwrap_or_default());
        self.returned = (returned, 0);
    }

    /// Makes the first line of `record` the failed record, and gives back the rest. Records have one line each from
    /// then on, so this happens once in a file and reading stays linear.
    fn give_back(&mut self, record: &[u8], first_line: u64) -> FormatError {
        let rest = record.iter().position(|byte| *byte == b'\n').map_or(record.len(), |at| at + 1);
        self.return_bytes(record.get(rest..).unwrap_or_default());
        (self.line, self.column) = (first_line + 1, Some(0));
        self.margin.one_line_records = true;
        FormatError::Syntax {
            location: self.location.clone(),
            at_line: first_line,
            detail: "the record is cut off",
        }
    }

    /// Skips the rest of a malformed record.
    fn resynchronise(&mut self) -> Result<(), FormatError> {
        if let Layout::Array { .. } = self.layout {
            self.layout = Layout::Array { element: Expect::Any };
            while !matches!(self.peek()?, None | Some(b',' | b']' | b'{')) {
                self.consume(1);
            }
            return Ok(());
        }
        loop {
            while !matches!(self.peek()?, None | Some(b'\n')) {
                self.consume(1);
            }
            match self.peek_token()? {
                Some(b'{' | b'[') if self.margin.one_line_records || self.column == Some(0) => return Ok(()),
                None => return Ok(()),
                Some(_) => {}
            }
        }
    }

    /// Peeks at the next byte that is not white space. The record separator of RFC 7464 counts as such.
    fn peek_token(&mut self) -> Result<Option<u8>, FormatError> {
        loop {
            match self.peek()? {
                Some(b' ' | b'\t' | b'\r' | b'\n' | 0x1e) => self.consume(1),
                byte => return Ok(byte),
            }
        }
    }

    fn peek(&mut self) -> Result<Option<u8>, FormatError> {
        Ok(self.fill()?.first().copied())
    }

    /// Bytes that come next; empty at the end of the file.
    fn fill(&mut self) -> Result<&[u8], FormatError> {
        if self.returned.1 < self.returned.0.len() {
            return Ok(self.returned.0.get(self.returned.1..).unwrap_or_default());
        }
        self.returned = (Vec::new(), 0);
        loop {
            match self.source.fill_buf() {
                Ok(_) => break,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(source) => {
                    return Err(FormatError::Read { file: self.location.file.clone(), source });
                }
            }
        }
        // The second call returns the same buffer: a loop cannot return a borrow of the first.
        let file = &self.location.file;
        self.source.fill_buf().map_err(|source| FormatError::Read { file: file.clone(), source })
    }

    /// Consumes bytes outside of values, and counts lines and columns.
    fn consume(&mut self, count: usize) {
        if let Ok(available) = self.fill() {
            let byte = available.first().copied();
            self.line += u64::from(byte == Some(b'\n'));
            self.column = match byte {
                Some(b'\n') => Some(0),
                Some(b' ' | b'\t' | b'\r' | 0x1e) => self.column.map(|column| column.saturating_add(1)),
                _ => None,
            };
            self.advance(count);
        }
    }

    fn advance(&mut self, count: usize) {
        self.offset = self.offset.saturating_add(count as u64);
        if self.returned.1 < self.returned.0.len() {
            self.returned.1 += count;
        } else {
            self.source.consume(count);
        }
    }

    fn syntax(&self, detail: &'static str) -> FormatError {
        FormatError::Syntax { location: self.location.clone(), at_line: self.line, detail }
    }

    fn damaged(&self, start: u64) -> FormatError {
        let bytes = self.offset.saturating_sub(start);
        FormatError::Damaged { location: self.location.clone(), from_byte: start, bytes }
    }

    fn rest_lost(&self, start: u64, detail: &'static str) -> FormatError {
        let bytes = self.offset.saturating_sub(start);
        FormatError::RestLost { location: self.location.clone(), detail, from_byte: start, bytes }
    }

    fn cut_short(&self, detail: &str) -> FormatError {
        FormatError::CutShort { location: self.location.clone(), detail: detail.to_owned() }
    }
}

#[cfg(test)]
#[path = "records_tests.rs"]
mod tests;
