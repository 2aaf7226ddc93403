//! Writes of a resolution, as plain values: from them a job makes a change set, with index rows and derivations.

use crate::domain::derivation::Input;
use crate::domain::group::GroupKey;
use crate::domain::id::MemoryId;
use crate::domain::link::Link;
use crate::domain::memory::{Happened, Kind, Memory};
use crate::domain::name::Name;
use crate::domain::statement::Statement;
use crate::domain::time::Interval;

/// New facts, and new versions of known ones.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FactChanges {
    /// New facts, in the order of their ids as given.
    pub facts: Vec<FactToWrite>,
    /// New versions, in the order of ids.
    pub revisions: Vec<FactRevision>,
}

/// New fact.
#[derive(Clone, Debug, PartialEq)]
pub struct FactToWrite {
    /// Id.
    pub id: MemoryId,
    /// Candidate that it is, by position; `None` for a known fact that resumes after an interruption.
    pub candidate: Option<usize>,
    /// Kind.
    pub kind: Kind,
    /// Text.
    pub text: String,
    /// Structured content.
    pub statement: Statement,
    /// Entities that it is about.
    pub subjects: Vec<Name>,
    /// Partners to whom it may be told; empty for anybody.
    pub audience: Vec<Name>,
    /// Tags.
    pub tags: Vec<Name>,
    /// Links, also to other new facts.
    pub links: Vec<Link>,
    /// Groups.
    pub groups: Vec<GroupKey>,
    /// Time of the event.
    pub happened: Happened,
    /// Validity.
    pub valid: Interval,
    /// Inputs of the derivation: all turns that were shown.
    pub inputs: Vec<Input>,
}

/// New version of a known fact. Its text is the present one, and so are its index rows and groups.
#[derive(Clone, Debug, PartialEq)]
pub struct FactRevision {
    /// Fact with its new content; the recording time is still that of the present version.
    pub memory: Memory,
    /// Inputs of the derivation: those of the present version, unchanged.
    pub inputs: Vec<Input>,
}
