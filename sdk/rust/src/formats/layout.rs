//! Layouts of a file of JSON records: the elements of an array, or a sequence of values.

/// Layout of the file at the next record.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
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

/// Parts of an array that may follow.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Expect {
    /// The first element or the end.
    First,
    /// A comma or the end.
    Comma,
    /// An element.
    Another,
    /// Any of them, after an error.
    Any,
}
