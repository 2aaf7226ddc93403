//! Candidate facts: the output of extraction, by rules or by a language model, before it is compared with the facts that
//! are known. Plain values.

use crate::domain::id::{MemoryId, SessionId, TurnId};
use crate::domain::memory::Happened;
use crate::domain::name::Name;
use crate::domain::statement::Statement;
use crate::domain::time::{Interval, Timestamp};
use crate::domain::turn::Role;
use crate::domain::zone::{UtcOffset, Zone};

/// Turn as extraction reads it.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceTurn {
    /// Turn.
    pub turn: TurnId,
    /// Memory of the turn.
    pub memory: MemoryId,
    /// Session of the turn.
    pub session: SessionId,
    /// Ordinal of the turn in its session.
    pub seq: u32,
    /// Role of the speaker.
    pub role: Role,
    /// Name of the speaker.
    pub author: Option<Name>,
    /// Names of the others present.
    pub participants: Vec<Name>,
    /// Text, verbatim.
    pub text: String,
    /// Time of the utterance.
    pub said_at: Timestamp,
    /// Offset of the speaker's local time at that moment, if it is known.
    pub utc_offset: Option<UtcOffset>,
    /// Zone in which the days that it names are counted: of its offset, else the owner's.
    pub zone: Zone,
    /// Partners to whom it may be told; empty for anybody.
    pub audience: Vec<Name>,
}

/// Candidate fact.
#[derive(Clone, Debug, PartialEq)]
pub struct CandidateFact {
    /// Sentence that can be read without its conversation: `Ann works at Acme.`
    pub text: String,
    /// Structured content.
    pub statement: Statement,
    /// True if the sentence says that the relation no longer holds: `Ann left Acme.` It ends the validity of the fact
    /// that it contradicts, and is itself no value of the slot.
    pub is_ended: bool,
    /// Time of the event, if the text names one; else the time of the utterance.
    pub happened: Happened,
    /// Interval of validity, as far as the text names it.
    pub valid: Interval,
    /// Turns that are the evidence, as positions in the list that extraction was given; never empty.
    pub evidence: Vec<usize>,
    /// True if the speaker asked to keep it from others: `don't tell anyone`.
    pub is_confidential: bool,
}
