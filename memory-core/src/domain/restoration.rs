//! Restorations: memories of an archive that are written as they were, with their ids, versions and derivations (ADR 0041).
//!
//! An id stays as it is if no other owner of the store has it. Otherwise the item gets the id that [`renamed`] computes of
//! the owner and the old id, so that every import of the archive gives it the same one, and a reference is resolved
//! without a table of old and new ids.

use std::collections::BTreeSet;

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::derivation::Derivation;
use super::id::{MemoryId, SessionId, TenantId, TurnId};
use super::item_outcome::ItemOutcome;
use super::memory::Memory;
use super::name::Name;
use super::new_memory::NewMemory;
use super::scope::Owner;
use super::time::Timestamp;
use super::turn::Turn;

/// Memory of an archive, as it was.
#[derive(Clone, Debug)]
pub struct Restoration {
    /// Present version with its key, index rows and groups. Its `derivation` field of the record is `None`: all records are
    /// in `derivations`.
    pub present: NewMemory,
    /// Turn, for a memory of kind `turn`. The `origin` of the memory names it.
    pub turn: Option<RestoredTurn>,
    /// Versions before the present one, in ascending order.
    pub earlier: Vec<Memory>,
    /// Derivation records of all versions.
    pub derivations: Vec<Derivation>,
}

/// Turn of an archive with its session.
#[derive(Clone, Debug)]
pub struct RestoredTurn {
    /// The turn. Its `seq` is kept if it is free in the session.
    pub turn: Turn,
    /// Session, by its key.
    pub session_key: Name,
    /// Id of the session if it has to be created.
    pub session: SessionId,
    /// Time of the session's first turn, if it has to be created.
    pub started_at: Timestamp,
    /// Time of the session's creation, if it has to be created.
    pub session_recorded_at: Timestamp,
    /// True if the turn waits to be thought about.
    pub is_pending: bool,
}

impl Restoration {
    /// All versions, in ascending order.
    pub fn versions(&self) -> impl Iterator<Item = &Memory> {
        self.earlier.iter().chain(std::iter::once(&self.present.memory))
    }

    /// Ids of the memories that it mentions: its own, link targets, and inputs.
    pub fn mentioned_memories(&self) -> BTreeSet<MemoryId> {
        let links = self.versions().flat_map(|version| version.links.iter().map(|link| link.to));
        let inputs = self.derivations.iter().flat_map(|derivation| &derivation.inputs);
        let inputs = inputs.filter_map(|input| match input.source {
            super::derivation::Source::Memory(id) => Some(id),
            super::derivation::Source::Turn(_) => None,
        });
        std::iter::once(self.present.memory.id).chain(links).chain(inputs).collect()
    }

    /// Ids of the turns that it mentions: its own, and inputs.
    pub fn mentioned_turns(&self) -> BTreeSet<TurnId> {
        let own = self.turn.iter().map(|restored| restored.turn.id);
        let inputs = self.derivations.iter().flat_map(|derivation| &derivation.inputs);
        let inputs = inputs.filter_map(|input| match input.source {
            super::derivation::Source::Turn(id) => Some(id),
            super::derivation::Source::Memory(_) => None,
        });
        own.chain(inputs).collect()
    }
}

/// Result of a restoration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restored {
    /// Outcome.
    pub outcome: ItemOutcome,
    /// Memory in the store; `None` for one that was left out.
    pub memory: Option<MemoryId>,
    /// Turn in the store.
    pub turn: Option<TurnId>,
    /// Number of links and inputs whose target is not in the store.
    pub missing: u32,
    /// True if something was written.
    pub is_changed: bool,
}

/// Number of bytes of a UUID that hold its time, its counter, its version and its variant.
const KEPT_BYTES: usize = 12;

/// Id of an item whose own id another owner has. Only the last 4 bytes differ from the old one, those that are random in a
/// UUID of version 7 with a counter (RFC 9562, section 6.2), so that it sorts like the old one: ids are in the order of
/// creation. `what` tells the kinds of items apart.
pub fn renamed(tenant: TenantId, owner: &Owner, what: &str, old: Uuid) -> Uuid {
    let mut hash = Sha256::new();
    for part in
        [tenant.0.as_bytes(), owner.kind.as_str().as_bytes(), owner.id.as_str().as_bytes(), what.as_bytes()]
    {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.update(old.as_bytes());
    let digest = hash.finalize();
    let mut bytes = *old.as_bytes();
    for (byte, new) in bytes.iter_mut().zip(digest).skip(KEPT_BYTES) {
        *byte = new;
    }
    Uuid::from_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::scope::OwnerKind;
    use super::*;

    fn owner(id: &str) -> Owner {
        Owner { kind: OwnerKind::User, id: Name::new(id).expect("a name") }
    }

    proptest! {
        #[test]
        fn a_renamed_id_is_the_same_each_time_and_differs_by_owner_and_kind(old in any::<u128>()) {
            let old = Uuid::from_u128(old);
            let new = renamed(TenantId::DEFAULT, &owner("ann"), "memory", old);
            prop_assert_eq!(new, renamed(TenantId::DEFAULT, &owner("ann"), "memory", old));
            prop_assert_eq!(&new.as_bytes()[..KEPT_BYTES], &old.as_bytes()[..KEPT_BYTES]);
            let of_others = [("bob", "memory"), ("ann", "turn")]
                .map(|(id, what)| renamed(TenantId::DEFAULT, &owner(id), what, old));
            // Four bytes may be equal once in four thousand million times.
            prop_assert!(of_others.iter().any(|other| *other != new));
        }
    }
}
