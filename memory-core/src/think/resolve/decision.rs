//! Decisions about candidate facts.

use crate::domain::id::MemoryId;

/// Fact in a resolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FactRef {
    /// Known fact.
    Known(MemoryId),
    /// New fact, by its position among the new facts of the resolution.
    New(usize),
}

/// Decision about one candidate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It says what a fact says.
    Duplicate {
        /// That fact.
        of: FactRef,
        /// True if it is evidence for it: not if the turn was counted before, or if the assistant repeats the user.
        strengthens: bool,
        /// Facts whose validity it ends.
        olds: Vec<FactRef>,
    },
    /// It is new, and in conflict with nothing.
    New {
        /// The new fact.
        fact: FactRef,
        /// True if it is a value of its slot; false without a slot, for a possibility, and for the end of a value.
        fills_slot: bool,
    },
    /// It replaces facts from its start on.
    Supersedes {
        /// The new fact.
        fact: FactRef,
        /// Facts whose validity it ends.
        olds: Vec<FactRef>,
    },
    /// It says that facts no longer hold.
    Ends {
        /// The new fact, which is no value of a slot.
        fact: FactRef,
        /// Facts whose validity it ends.
        olds: Vec<FactRef>,
    },
    /// It contradicts facts, and neither time nor speaker decides.
    Contradicts {
        /// The new fact.
        fact: FactRef,
        /// Facts that it contradicts, which stay valid.
        with: Vec<FactRef>,
        /// Facts whose validity it ends.
        olds: Vec<FactRef>,
    },
    /// It is not stored.
    Rejected {
        /// Reason.
        reason: Reason,
    },
}

/// Reason to reject a candidate, with a stable code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// No word in it.
    Empty,
    /// Text over the bound.
    TooLong,
    /// No turn as evidence, or one that was not shown.
    NoEvidence,
    /// Evidence only from the system or from tools.
    NotSaid,
    /// Repetition of a text that was recalled into the prompt.
    Echo,
    /// Instruction to the memory rather than a statement.
    Instruction,
    /// Secret such as a password, an API key or a card number.
    Secret,
    /// Confidence below the floor, or no number.
    LowConfidence,
}

impl Reason {
    /// All reasons.
    pub const ALL: [Reason; 8] = [
        Reason::Empty,
        Reason::TooLong,
        Reason::NoEvidence,
        Reason::NotSaid,
        Reason::Echo,
        Reason::Instruction,
        Reason::Secret,
        Reason::LowConfidence,
    ];

    /// Code, for metrics and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Reason::Empty => "empty",
            Reason::TooLong => "too_long",
            Reason::NoEvidence => "no_evidence",
            Reason::NotSaid => "not_said",
            Reason::Echo => "echo",
            Reason::Instruction => "instruction",
            Reason::Secret => "secret",
            Reason::LowConfidence => "low_confidence",
        }
    }
}
