//! Splitter of a byte stream into JSON records, with at most one record in memory: the elements of one array, or a
//! sequence of values such as JSON lines. It tracks only brackets and strings; serde_json validates the records.
//!
//! Invariant: memory is bounded by the maximum record size for any input.

use std::io::BufRead;

use super::error::{FormatError, SourceLocation};

/// Records of a file.
pub(super) struct Records<R> {
    source: R,
    location: SourceLocation,
    line: u64,
    layout: Layout,
    limit_bytes: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// Nothing read yet.
    Unknown,
    /// Inside an array; `element` says what may follow.
    Array {
        element: Expect,
    },
    /// Sequence of values.
    Sequence,
    Ended,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Expect {
    /// The first element or the end.
    First,
    /// A comma or the end.
    Comma,
    /// An element.
    Another,
}

/// UTF-8 byte order mark, with which some programs begin a file.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

impl<R: BufRead> Records<R> {
    pub(super) fn new(source: R, file: impl Into<String>, limit_bytes: usize) -> Self {
        let location = SourceLocation { file: file.into(), ..SourceLocation::default() };
        Self { source, location, line: 1, layout: Layout::Unknown, limit_bytes }
    }

    /// Beginning of the last record read.
    pub(super) fn location(&self) -> &SourceLocation {
        &self.location
    }

    /// Reads the next record into `record`; false after the last. After an error there is no next one.
    pub(super) fn next(&mut self, record: &mut Vec<u8>) -> Result<bool, FormatError> {
        record.clear();
        let read = self.read(record);
        if !matches!(read, Ok(true)) {
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
                (Layout::Ended, _) | (Layout::Sequence, None) => return Ok(false),
                (Layout::Unknown | Layout::Sequence, Some(_)) => Layout::Sequence,
                (Layout::Unknown, None) => return Ok(false),
                (Layout::Array { .. }, None) => {
                    let detail = "the array has no end".to_owned();
                    return Err(FormatError::CutShort { location: self.location.clone(), detail });
                }
                (Layout::Array { element: Expect::First | Expect::Comma }, Some(b']')) => {
                    self.source.consume(1);
                    return match self.peek_token()? {
                        None => Ok(false),
                        Some(_) => Err(self.syntax("something follows the array")),
                    };
                }
                (Layout::Array { element: Expect::Comma }, Some(b',')) => {
                    self.source.consume(1);
                    self.layout = Layout::Array { element: Expect::Another };
                    continue;
                }
                (Layout::Array { element: Expect::Comma }, Some(_)) => {
                    return Err(self.syntax("a comma is missing between two elements"));
                }
                (Layout::Array { .. }, Some(_)) => Layout::Array { element: Expect::Comma },
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
            let mut mark = [0; 3];
            self.source.read_exact(&mut mark).map_err(|source| self.unreadable(source))?;
            if mark != BYTE_ORDER_MARK {
                return Err(self.syntax("the file does not begin like JSON in UTF-8"));
            }
        }
        if self.peek_token()? == Some(b'[') {
            self.source.consume(1);
            self.layout = Layout::Array { element: Expect::First };
        }
        Ok(())
    }

    /// Reads one value, from its first byte to its last.
    fn value(&mut self, record: &mut Vec<u8>) -> Result<(), FormatError> {
        let mut scan = Scan::default();
        loop {
            let available = match self.source.fill_buf() {
                Ok(available) => available,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.unreadable(error)),
            };
            if available.is_empty() {
                return if scan.is_bare() {
                    Ok(())
                } else {
                    let detail = "the record has no end".to_owned();
                    Err(FormatError::CutShort { location: self.location.clone(), detail })
                };
            }
            let mut taken = 0;
            let mut step = Step::More;
            for &byte in available {
                step = scan.step(byte);
                if !matches!(step, Step::More | Step::Last) {
                    break;
                }
                self.line += u64::from(byte == b'\n');
                taken += 1;
                if step == Step::Last {
                    break;
                }
            }
            record.extend_from_slice(&available[..taken]);
            self.source.consume(taken);
            if record.len() > self.limit_bytes {
                let (location, limit_bytes) = (self.location.clone(), self.limit_bytes);
                return Err(FormatError::RecordTooLong { location, limit_bytes });
            }
            match step {
                Step::More => {}
                Step::Last | Step::Past => return Ok(()),
                Step::Wrong(detail) => return Err(self.syntax(detail)),
            }
        }
    }

    /// Peeks at the next byte that is not white space.
    fn peek_token(&mut self) -> Result<Option<u8>, FormatError> {
        loop {
            match self.peek()? {
                Some(byte @ (b' ' | b'\t' | b'\r' | b'\n')) => {
                    self.line += u64::from(byte == b'\n');
                    self.source.consume(1);
                }
                byte => return Ok(byte),
            }
        }
    }

    fn peek(&mut self) -> Result<Option<u8>, FormatError> {
        loop {
            match self.source.fill_buf() {
                Ok(available) => return Ok(available.first().copied()),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.unreadable(error)),
            }
        }
    }

    fn syntax(&self, detail: &'static str) -> FormatError {
        FormatError::Syntax { location: self.location.clone(), at_line: self.line, detail }
    }

    fn unreadable(&self, source: std::io::Error) -> FormatError {
        FormatError::Read { file: self.location.file.clone(), source }
    }
}

/// State of the scan within a value.
#[derive(Default)]
struct Scan {
    depth: u32,
    in_string: bool,
    escaped: bool,
    begun: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The byte belongs to the value, and more must follow.
    More,
    /// The byte is the value's last.
    Last,
    /// The value ended before the byte.
    Past,
    Wrong(&'static str),
}

impl Scan {
    /// True if the value is a number or literal, which ends only at the next byte.
    fn is_bare(&self) -> bool {
        self.begun && self.depth == 0 && !self.in_string
    }

    fn step(&mut self, byte: u8) -> Step {
        let first = !std::mem::replace(&mut self.begun, true);
        if self.in_string {
            return self.step_in_string(byte);
        }
        match byte {
            b'"' if first || self.depth > 0 => {
                self.in_string = true;
                Step::More
            }
            b'{' | b'[' if first || self.depth > 0 => {
                self.depth = self.depth.saturating_add(1);
                Step::More
            }
            b'}' | b']' if self.depth > 0 => {
                self.depth -= 1;
                if self.depth == 0 { Step::Last } else { Step::More }
            }
            b'}' | b']' | b',' | b':' if first => Step::Wrong("a value is missing"),
            b',' | b']' | b' ' | b'\t' | b'\r' | b'\n' if self.depth == 0 => Step::Past,
            b'"' | b'{' | b'[' | b'}' => Step::Wrong("two values are not separated"),
            _ => Step::More,
        }
    }

    fn step_in_string(&mut self, byte: u8) -> Step {
        match byte {
            _ if self.escaped => self.escaped = false,
            b'\\' => self.escaped = true,
            b'"' => {
                self.in_string = false;
                if self.depth == 0 {
                    return Step::Last;
                }
            }
            b'\n' => return Step::Wrong("a text is not closed on its line"),
            _ => {}
        }
        Step::More
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    /// The records of `text`, read in pieces of `piece_bytes`.
    fn records(text: &[u8], piece_bytes: usize, limit_bytes: usize) -> Result<Vec<Vec<u8>>, FormatError> {
        let mut records = Records::new(BufReader::with_capacity(piece_bytes, text), "test", limit_bytes);
        let (mut found, mut record) = (Vec::new(), Vec::new());
        while records.next(&mut record)? {
            found.push(record.clone());
        }
        Ok(found)
    }

    fn texts(text: &str) -> Vec<String> {
        let found = records(text.as_bytes(), 3, 1000).unwrap();
        found.into_iter().map(|record| String::from_utf8(record).unwrap()).collect()
    }

    #[test]
    fn arrays_and_sequences_are_split() {
        assert_eq!(texts(r#" [{"a": "]\"}"}, [1, [2]] ,3] "#), [r#"{"a": "]\"}"}"#, "[1, [2]]", "3"]);
        assert_eq!(texts("{\"a\": 1}\n\n{\"a\":\n 2}\r\n"), ["{\"a\": 1}", "{\"a\":\n 2}"]);
        assert_eq!(texts("\u{feff}[\"x\"]"), ["\"x\""]);
        assert_eq!(texts("true"), ["true"]);
        assert!(texts(" \n").is_empty() && texts("[ ]").is_empty());
    }

    #[test]
    fn an_error_names_its_location() {
        let wrong = |text: &str| records(text.as_bytes(), 4, 1000).unwrap_err().to_string();
        assert_eq!(
            wrong("[{},\n{\"a\": 1"),
            "test, record 2 (line 2): the file is incomplete: the record has no end"
        );
        assert_eq!(
            wrong("[{}\n{}]"),
            "test, record 1 (line 1), line 2: not JSON: a comma is missing between two elements"
        );
        assert_eq!(wrong("[{},]"), "test, record 2 (line 1), line 1: not JSON: a value is missing");
        assert_eq!(wrong("[1"), "test, record 1 (line 1): the file is incomplete: the array has no end");
        assert_eq!(wrong("[1] 2"), "test, record 1 (line 1), line 1: not JSON: something follows the array");
        assert!(wrong("{\"a\": \"b\n\"}").ends_with("line 1: not JSON: a text is not closed on its line"));
    }

    #[test]
    fn a_record_beyond_the_bound_is_refused() {
        let text = format!("[1, \"{}\"]", "x".repeat(100));
        assert!(matches!(
            records(text.as_bytes(), 8, 50),
            Err(FormatError::RecordTooLong { limit_bytes: 50, .. })
        ));
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "\\PC{0,8}".prop_map(Value::from),
            "[\\[\\]{}\",\\\\\n]{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec(("\\PC{0,4}", inner), 0..4)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn elements_come_back_as_they_were(
            values in prop::collection::vec(any_json(), 0..5), pretty: bool, piece_bytes in 1_usize..20,
        ) {
            let text = if pretty {
                serde_json::to_string_pretty(&values).unwrap()
            } else {
                json!(values).to_string()
            };
            let found = records(text.as_bytes(), piece_bytes, 1 << 20).unwrap();
            let found: Vec<Value> =
                found.iter().map(|record| serde_json::from_slice(record).unwrap()).collect();
            prop_assert_eq!(found, values);
        }

        #[test]
        fn arbitrary_input_never_panics(bytes: Vec<u8>, piece_bytes in 1_usize..20) {
            let records = records(&bytes, piece_bytes, 64);
            prop_assert!(records.is_err() || records.is_ok_and(|found| found.len() <= bytes.len()));
        }
    }
}
