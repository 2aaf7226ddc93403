//! Grants: read access that an owner gives to another principal of its tenant, to chosen memories, until it is revoked.
//! After the information asymmetry of iAgents (arXiv 2406.14928): an agent sees only what its user may let it see. The
//! rule is evaluated inside the search, never in a prompt (ADR 0045).

use super::filter::Filter;
use super::id::{CallerId, GrantEventId, GrantId, MemoryId, RecallId};
use super::memory::Memory;
use super::name::Name;
use super::scope::Owner;
use super::time::Timestamp;

/// Read access of a principal to chosen memories of an owner.
#[derive(Clone, Debug, PartialEq)]
pub struct Grant {
    /// Id.
    pub id: GrantId,
    /// Owner of the memories.
    pub giver: Owner,
    /// User, agent, app or run that may read them. It may have no memories of its own.
    pub grantee: Owner,
    /// Memories that it opens.
    pub selection: Selection,
    /// Time at which it was given.
    pub given_at: Timestamp,
    /// Caller that gave it.
    pub given_by: CallerId,
    /// Time from which it opens nothing; `None` for a grant without an end.
    pub expires_at: Option<Timestamp>,
    /// Revocation; `None` if it was not revoked.
    pub revoked: Option<Revocation>,
}

impl Grant {
    /// True if the grant opens anything at a time.
    pub fn is_open(&self, at: Timestamp) -> bool {
        self.revoked.is_none() && self.expires_at.is_none_or(|end| end > at)
    }
}

/// Time and caller of the revocation of a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// Time.
    pub at: Timestamp,
    /// Caller.
    pub by: CallerId,
}

/// Memories that a grant opens, whatever their visibility.
#[derive(Clone, Debug, PartialEq)]
pub enum Selection {
    /// These memories, in the order of ids. Memories that were told in confidence are opened in no other way.
    Memories(Vec<MemoryId>),
    /// Memories with this tag, those that get it later too, unless they have an audience.
    Tag(Name),
    /// Memories that pass this filter, later ones too, unless they have an audience.
    Filter(Filter),
}

impl Selection {
    /// True if the selection contains a memory.
    pub fn selects(&self, memory: &Memory) -> bool {
        match self {
            Selection::Memories(ids) => ids.binary_search(&memory.id).is_ok(),
            Selection::Tag(tag) => memory.audience.is_empty() && memory.tags.contains(tag),
            Selection::Filter(filter) => memory.audience.is_empty() && filter.matches(memory),
        }
    }
}

/// Entry of the audit log of a grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantEvent {
    /// Id of the entry.
    pub id: GrantEventId,
    /// Time.
    pub at: Timestamp,
    /// Event.
    pub kind: GrantEventKind,
    /// Caller that gave, revoked or read.
    pub caller: CallerId,
    /// Recall that read through the grant.
    pub recall: Option<RecallId>,
    /// Number of memories read; 0 for other events.
    pub memories: u32,
}

/// Events in the audit log of a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantEventKind {
    /// The grant was given.
    Given,
    /// The grant was revoked.
    Revoked,
    /// Memories were read through the grant.
    Used,
}

impl GrantEventKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Given, Self::Revoked, Self::Used];

    /// Name in the store and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Given => "given",
            Self::Revoked => "revoked",
            Self::Used => "used",
        }
    }

    /// Kind with this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}
