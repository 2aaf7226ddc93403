//! Byte scanner of one JSON value: brackets, strings, and the lines on which a record can only have been cut off.
//!
//! A record cut off in the middle must not swallow the next ones. A line that begins with `{` where the records of the
//! file begin is a new record, if the grammar forbids `{` at this place or if the file has one record a line.

/// Place at which records begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Margin {
    /// Column of the first byte of a record, from 0; `None` if records do not begin lines.
    pub(super) column: Option<usize>,
    /// True if line breaks inside texts are kept, as in an array. In JSON lines they end the record.
    pub(super) breaks_in_texts: bool,
    /// True if every record so far was one line.
    pub(super) one_line_records: bool,
}

/// State of the scan within a value.
#[derive(Default)]
pub(super) struct Scan {
    margin: Margin,
    depth: u32,
    /// Kinds of the innermost 128 brackets, one bit each: 1 for an array.
    arrays: u128,
    in_string: bool,
    escaped: bool,
    begun: bool,
    /// Last byte outside of white space and texts.
    last: u8,
    /// Column in a line with only white space so far.
    indent: Option<usize>,
    ambiguous: bool,
    /// True after a byte that JSON forbids at its place.
    broken: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The byte belongs to the value, and more must follow.
    More,
    /// The byte is the value's last.
    Last,
    /// The value ended before the byte.
    Past,
    /// The value was cut off before the byte, which begins another record.
    Cut,
    Wrong(&'static str),
}

impl Scan {
    pub(super) fn new(margin: Margin) -> Self {
        Self { margin, ..Self::default() }
    }

    /// True if the value is a number or literal, which ends only at the next byte.
    pub(super) fn is_bare(&self) -> bool {
        self.begun && self.depth == 0 && !self.in_string
    }

    /// True if a line of the value could have been the beginning of another record.
    pub(super) fn is_ambiguous(&self) -> bool {
        self.ambiguous
    }

    /// True if the value has a byte that JSON forbids at its place, so that it cannot be parsed.
    pub(super) fn is_broken(&self) -> bool {
        self.broken
    }

    pub(super) fn step(&mut self, byte: u8) -> Step {
        let first = !std::mem::replace(&mut self.begun, true);
        if byte == b'{' && self.indent.is_some() && self.indent == self.margin.column && self.is_cut() {
            return Step::Cut;
        }
        self.indent = match byte {
            b'\n' => Some(0),
            b' ' | b'\t' => self.indent.map(|column| column.saturating_add(1)),
            b'\r' => self.indent,
            _ => None,
        };
        self.broken |= !first && !self.in_string && self.is_misplaced(byte);
        let step = if self.in_string { self.step_in_string(byte) } else { self.step_outside(byte, first) };
        if !self.in_string && !matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
            self.last = byte;
        }
        step
    }

    /// True if JSON forbids `byte`, outside of texts, after what came before it. Beyond the nesting whose brackets are kept,
    /// nothing is known to be forbidden.
    fn is_misplaced(&self, byte: u8) -> bool {
        if !(1..=128).contains(&self.depth) || matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
            return false;
        }
        let in_array = self.arrays & 1 == 1;
        let begins_value = if in_array { matches!(self.last, b'[' | b',') } else { self.last == b':' };
        let begins_key = !in_array && matches!(self.last, b'{' | b',');
        let follows_value = !matches!(self.last, b'{' | b'[' | b',' | b':');
        let is_allowed = match byte {
            b'"' => begins_value || begins_key,
            b'{' | b'[' => begins_value,
            b'}' => !in_array && (follows_value || self.last == b'{'),
            b']' => in_array && (follows_value || self.last == b'['),
            b',' => follows_value,
            b':' => !in_array && self.last == b'"',
            // A byte of a number or literal.
            _ => begins_value || (follows_value && !matches!(self.last, b'"' | b'}' | b']')),
        };
        !is_allowed
    }

    /// True if `{` at the place of records is a new record.
    fn is_cut(&mut self) -> bool {
        if self.in_string {
            return true;
        }
        let in_array = self.arrays & 1 == 1;
        let allowed = if in_array { matches!(self.last, b'[' | b',') } else { self.last == b':' };
        if !allowed {
            return true;
        }
        self.ambiguous = true;
        self.margin.one_line_records
    }

    fn step_outside(&mut self, byte: u8, first: bool) -> Step {
        match byte {
            b'"' if first || self.depth > 0 => {
                self.in_string = true;
                Step::More
            }
            b'{' | b'[' if first || self.depth > 0 => {
                self.depth = self.depth.saturating_add(1);
                self.arrays = self.arrays << 1 | u128::from(byte == b'[');
                Step::More
            }
            b'}' | b']' if self.depth > 0 => {
                self.depth -= 1;
                self.arrays >>= 1;
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
            b'\n' if !self.margin.breaks_in_texts => return Step::Wrong("a text is not closed on its line"),
            _ if self.escaped => self.escaped = false,
            b'\\' => self.escaped = true,
            b'"' => {
                self.in_string = false;
                if self.depth == 0 {
                    return Step::Last;
                }
            }
            _ => {}
        }
        Step::More
    }
}
