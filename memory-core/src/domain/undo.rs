//! Undo of what a job made: from the versions that it made and the histories of their memories to the writes that take
//! them back. Pure; the versions come from `store::Derivations::made_by`.
//!
//! A memory that the job created is erased. A memory that it revised gets a new version with the content of the one
//! before the job: text, tags, links, validity and all else that belongs to a version. The history stays, and with it the
//! provenance: the erasure of a source that the job had in view erases the memory even then.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::change::{ChangeSet, IndexRow, Revision};
use super::id::{DerivationId, MemoryId};
use super::memory::Memory;
use super::time::Timestamp;

/// Version that a job made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadeVersion {
    /// Derivation of the version.
    pub derivation: DerivationId,
    /// Memory.
    pub memory: MemoryId,
    /// Number of the version.
    pub version: u32,
    /// Memories among the inputs of the derivation.
    pub memories_in_view: Vec<MemoryId>,
}

/// Writes that take the work of a job back.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Undo {
    /// Memories that the job revised, as they were before it.
    pub restored: Vec<Restored>,
    /// Memories that the job created, to be erased with everything derived from them since.
    pub erasures: Vec<MemoryId>,
    /// Memories that the job created or revised and that stay as they are, in the order of ids: they were changed after
    /// the job, the version before it is unknown, or their erasure would erase a restored memory, which the job revised with them in view.
    pub left: Vec<MemoryId>,
}

/// Next version of a memory, with the content of an earlier one.
#[derive(Clone, Debug, PartialEq)]
pub struct Restored {
    /// The memory. Its derivation is the one of the earlier version.
    pub memory: Memory,
    /// True if the text differs from the present one, so that it needs new index rows.
    pub has_other_text: bool,
}

impl Undo {
    /// Adds the writes to a set. `rows` makes the index rows of a restored memory whose text differs from the present
    /// one.
    pub fn add_to(self, set: &mut ChangeSet, mut rows: impl FnMut(&Memory) -> Vec<IndexRow>) {
        for Restored { memory, has_other_text } in self.restored {
            let rows = has_other_text.then(|| rows(&memory));
            set.revisions.push(Revision { memory, derivation: None, rows, groups: None, keeps_links: false });
        }
        set.erasures.extend(self.erasures);
    }
}

/// The undo of `made`, which must be all versions that the job made in the partition. `histories` has all versions of
/// each of their memories, oldest first; a memory without one has been erased, and nothing is left to take back.
///
/// The undo is of the state that was read. Its set is refused if a memory was edited since, or if a restored link leads
/// to a memory that was erased since; read again then. A second undo of the same job changes nothing.
pub fn undo_of(made: &[MadeVersion], histories: &[Vec<Memory>], now: Timestamp) -> Undo {
    let mut versions: HashMap<MemoryId, BTreeMap<u32, &MadeVersion>> = HashMap::new();
    for one in made {
        versions.entry(one.memory).or_default().insert(one.version, one);
    }
    let (mut restored, mut created) = (Vec::new(), BTreeSet::new());
    let (mut left, mut in_view) = (BTreeSet::new(), BTreeSet::new());
    for history in histories {
        let Some(present) = history.last() else { continue };
        let Some(own) = versions.get(&present.id) else { continue };
        let first = own.keys().next().copied().unwrap_or(present.version);
        let before = history.iter().find(|version| version.version.saturating_add(1) == first);
        let is_untouched_since = (first..=present.version).all(|version| own.contains_key(&version));
        match before {
            _ if !is_untouched_since => {
                left.insert(present.id);
            }
            None if first <= 1 => {
                created.insert(present.id);
            }
            None => {
                left.insert(present.id);
            }
            Some(before) => {
                restored.push(restored_to(before, present, now));
                in_view.extend(own.values().flat_map(|one| &one.memories_in_view).copied());
            }
        }
    }
    left.extend(created.intersection(&in_view));
    restored.sort_unstable_by_key(|one| one.memory.id);
    Undo {
        restored,
        erasures: created.difference(&in_view).copied().collect(),
        left: left.into_iter().collect(),
    }
}

/// The version after `present`, with the content of `before`.
fn restored_to(before: &Memory, present: &Memory, now: Timestamp) -> Restored {
    let memory = Memory { version: present.version.saturating_add(1), recorded_at: now, ..before.clone() };
    Restored { has_other_text: memory.text != present.text, memory }
}

#[cfg(all(test, feature = "testing", feature = "sqlite"))]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::domain::memory::Kind;
    use crate::testing::fixtures::plain;

    const NOW: Timestamp = Timestamp::from_micros(1);

    /// History of one memory, each version either the job's or not, with the records of the former.
    fn told(id: u128, by_job: &[bool]) -> (Vec<Memory>, Vec<MadeVersion>) {
        let memory = MemoryId(Uuid::from_u128(id));
        let versions = (1..).zip(by_job).map(|(version, _)| {
            let text = format!("text {}", version / 2);
            Memory { version, ..plain(memory, Kind::Note, &text) }
        });
        let made = (1..).zip(by_job).filter(|(_, by_job)| **by_job).map(|(version, _)| MadeVersion {
            derivation: DerivationId(Uuid::from_u128(id << 8 | u128::from(version))),
            memory,
            version,
            memories_in_view: Vec::new(),
        });
        (versions.collect(), made.collect())
    }

    proptest! {
        /// Every memory of the job has one fate. Erased are those with versions of the job only, restored those whose
        /// versions of the job are the last ones: to the version before them.
        #[test]
        fn every_memory_of_a_job_is_restored_erased_or_left(
            by_job in proptest::collection::vec(proptest::collection::vec(any::<bool>(), 1..6), 0..6)
        ) {
            let (mut histories, mut made) = (Vec::new(), Vec::new());
            for (id, by_job) in (1..).zip(&by_job) {
                let (history, own) = told(id, by_job);
                histories.push(history);
                made.extend(own);
            }
            let undo = undo_of(&made, &histories, NOW);
            for (history, by_job) in histories.iter().zip(&by_job) {
                let (id, present) = (history[0].id, history.last().unwrap_or(&history[0]));
                let kept = by_job.iter().take_while(|by_job| !**by_job).count();
                let is_last = by_job[kept..].iter().all(|by_job| *by_job);
                let restored = undo.restored.iter().find(|one| one.memory.id == id);
                let is_of_job = kept < by_job.len();
                prop_assert_eq!(undo.erasures.contains(&id), is_of_job && is_last && kept == 0);
                prop_assert_eq!(restored.is_some(), is_of_job && is_last && kept > 0);
                prop_assert_eq!(undo.left.contains(&id), is_of_job && !is_last);
                if let Some(Restored { memory, has_other_text }) = restored {
                    prop_assert_eq!(memory.version, present.version + 1);
                    prop_assert_eq!(&memory.text, &history[kept - 1].text);
                    prop_assert_eq!(*has_other_text, memory.text != present.text);
                    prop_assert_eq!(memory.recorded_at, NOW);
                }
            }
        }
    }

    #[test]
    fn a_memory_without_the_version_before_the_job_is_left() {
        let (mut history, made) = told(1, &[false, true]);
        history.remove(0);
        let undo = undo_of(&made, std::slice::from_ref(&history), NOW);
        assert_eq!(undo, Undo { left: vec![history[0].id], ..Undo::default() });
        assert_eq!(undo_of(&made, &[], NOW), Undo::default(), "it has been erased");
    }
}
