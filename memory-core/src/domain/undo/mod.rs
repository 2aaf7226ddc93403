//! Undo of changes and of what was built on them: from the histories of memories and the inputs of derivations to the
//! writes that take the changes back. Pure; the caller reads what [`UndoPlanner::unread_sources`] asks for.
//!
//! A version is *live* if the present content stands on it. A version with the content of an earlier one restores that
//! one; the versions between the two are not live, and an undo has nothing to take back there. So a repeated undo is
//! empty.
//!
//! Taken back are the versions that the undo names, every later live version of the same memories, and every live
//! version that was derived with one of them in view. A memory that loses its first version is erased, any other gets a
//! new version with the content before. What was in view of a version is known per memory, not per version: a version
//! derived from a memory counts as built on all versions committed before it. That may list too much, never too little.

mod lineage;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use self::lineage::Lineage;
pub use self::lineage::{KnownHistory, Restored};
use super::change::{ChangeSet, IndexRow, Retraction, Revision};
use super::derivation::Source;
use super::group::GroupKey;
use super::id::{DerivationId, MemoryId, TurnId};
use super::memory::Memory;
use super::time::Timestamp;

/// Version that a derivation made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadeVersion {
    /// Derivation of the version.
    pub derivation: DerivationId,
    /// Memory.
    pub memory: MemoryId,
    /// Number of the version.
    pub version: u32,
}

/// Derivation that had a source in view, with the memory whose version it made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuiltOn {
    /// Turn or memory among the inputs.
    pub source: Source,
    /// The derivation.
    pub derivation: DerivationId,
    /// Memory that the derivation made a version of.
    pub memory: MemoryId,
}

/// Version of a memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct VersionId {
    /// Memory.
    pub memory: MemoryId,
    /// Number of the version, from 1.
    pub version: u32,
}

/// Writes that take changes back. Every list is in the order of ids.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Undo {
    /// Memories that are restored, as they were before.
    pub restored: Vec<Restored>,
    /// Memories whose first version is taken back.
    pub erasures: Vec<MemoryId>,
    /// Earlier versions of remaining memories that had an erased memory in view: its erasure would take the memories too.
    pub retractions: Vec<Retraction>,
    /// Memories that stay as they are, because the version to restore is not in the history.
    pub left: Vec<MemoryId>,
    /// Live versions that are taken back although the undo does not name them: what was built on those that it names.
    pub dependents: Vec<VersionId>,
    /// Derivations of the versions that are taken back.
    pub derivations: Vec<DerivationId>,
}

impl Undo {
    /// True if there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.restored.is_empty() && self.erasures.is_empty()
    }

    /// Adds the writes to a set. `rows` makes the index rows of a restored memory whose text differs from the present
    /// one, `groups` the groups of one whose statement does.
    pub fn add_to(
        self,
        set: &mut ChangeSet,
        mut rows: impl FnMut(&Memory) -> Vec<IndexRow>,
        groups: impl Fn(&Memory) -> Vec<GroupKey>,
    ) {
        for Restored { memory, has_other_text, has_other_statement } in self.restored {
            let rows = has_other_text.then(|| rows(&memory));
            let groups = has_other_statement.then(|| groups(&memory));
            set.revisions.push(Revision { memory, derivation: None, rows, groups, keeps_links: false });
        }
        set.retractions.extend(self.retractions);
        set.erasures.extend(self.erasures);
    }
}

/// Planner of an undo: names of versions and histories go in, an [`Undo`] comes out.
#[derive(Debug, Default)]
pub struct UndoPlanner {
    lineages: BTreeMap<MemoryId, Lineage>,
    /// Versions that the undo names.
    named: BTreeSet<VersionId>,
    /// For each memory that is changed, the index in its history of the first version taken back.
    first: BTreeMap<MemoryId, usize>,
    left: BTreeSet<MemoryId>,
    /// Derivations by the memory that they had in view, directly or as its turn.
    built_on: HashMap<MemoryId, Vec<BuiltOn>>,
    /// Memories of the turns among the sources that were asked for.
    of_turn: HashMap<TurnId, MemoryId>,
    asked: BTreeSet<MemoryId>,
    asked_turn: BTreeSet<MemoryId>,
}

impl UndoPlanner {
    /// Adds the history of a memory. A memory without versions has been erased, and nothing is left to take back.
    pub fn learn(&mut self, id: MemoryId, history: KnownHistory) {
        if let Some(lineage) = Lineage::new(history) {
            self.lineages.insert(id, lineage);
        }
    }

    /// True if the memory's history was added.
    pub fn knows(&self, id: MemoryId) -> bool {
        self.lineages.contains_key(&id)
    }

    /// Number of memories that the undo changes so far.
    pub fn changed_memories(&self) -> usize {
        self.first.len()
    }

    /// Names a version of a memory whose history is known. A version that is not live is nothing to take back.
    pub fn name_version(&mut self, id: MemoryId, version: u32) {
        let found = self.lineages.get(&id).and_then(|lineage| lineage.live_at(version));
        self.name_index(id, found);
    }

    /// Names the version that a derivation made.
    pub fn name_derivation(&mut self, id: MemoryId, derivation: DerivationId) {
        let found = self.lineages.get(&id).and_then(|lineage| lineage.live_of(derivation));
        self.name_index(id, found);
    }

    fn name_index(&mut self, id: MemoryId, found: Option<(usize, u32)>) {
        let Some((index, version)) = found else { return };
        self.named.insert(VersionId { memory: id, version });
        self.take(id, index);
    }

    /// Sources whose derivations the planner has not seen: memories that are changed, and the turns of memories that are
    /// erased. Empty when the plan is complete.
    pub fn unread_sources(&mut self) -> Vec<Source> {
        let mut sources = Vec::new();
        for (id, index) in &self.first {
            if self.asked.insert(*id) {
                sources.push(Source::Memory(*id));
            }
            let turn = self.lineages.get(id).and_then(Lineage::turn);
            if let Some(turn) = turn.filter(|_| *index == 0 && self.asked_turn.insert(*id)) {
                self.of_turn.insert(turn, *id);
                sources.push(Source::Turn(turn));
            }
        }
        sources
    }

    /// Adds the derivations that had unread sources in view. The histories of their memories must be known.
    pub fn follow(&mut self, built: Vec<BuiltOn>) {
        let mut touched = BTreeSet::new();
        for one in built {
            let source = match one.source {
                Source::Memory(id) => id,
                Source::Turn(turn) => match self.of_turn.get(&turn) {
                    Some(id) => *id,
                    None => continue,
                },
            };
            self.built_on.entry(source).or_default().push(one);
            touched.insert(source);
        }
        for source in touched {
            self.spread(source);
        }
    }

    /// Takes back the versions of a memory from an index on, and all that is known to be built on them.
    fn take(&mut self, id: MemoryId, index: usize) {
        if self.lower(id, index) {
            self.spread(id);
        }
    }

    /// Lowers the first version taken back; false if nothing changes.
    fn lower(&mut self, id: MemoryId, index: usize) -> bool {
        let Some(lineage) = self.lineages.get(&id) else { return false };
        if index == 0 && !lineage.begins_with_creation() {
            self.left.insert(id);
            return false;
        }
        if self.first.get(&id).is_some_and(|first| *first <= index) {
            return false;
        }
        self.first.insert(id, index);
        true
    }

    fn spread(&mut self, from: MemoryId) {
        let mut waiting = vec![from];
        while let Some(source) = waiting.pop() {
            let reached: Vec<(MemoryId, usize)> = self
                .built_on
                .get(&source)
                .into_iter()
                .flatten()
                .filter_map(|one| Some((one.memory, self.reached(source, one)?)))
                .collect();
            for (memory, index) in reached {
                if self.lower(memory, index) {
                    waiting.push(memory);
                }
            }
        }
    }

    /// Index of the first live version that a derivation made with a version of `source` in view that is taken back.
    fn reached(&self, source: MemoryId, one: &BuiltOn) -> Option<usize> {
        let first = *self.first.get(&source)?;
        let lineage = self.lineages.get(&one.memory)?;
        let (index, _) = lineage.live_of(one.derivation)?;
        if first == 0 {
            return Some(index);
        }
        let undone = self.lineages.get(&source)?.change_number(first);
        let is_later = match (undone, lineage.change_number_of(one.derivation)) {
            (Some(undone), Some(made)) => made > undone,
            _ => true,
        };
        is_later.then_some(index)
    }

    /// The writes, at time `now`.
    pub fn finish(self, now: Timestamp) -> Undo {
        let mut undo = Undo { left: self.left.iter().copied().collect(), ..Undo::default() };
        let (mut derivations, mut retracted) = (BTreeSet::new(), BTreeSet::new());
        for (id, first) in &self.first {
            let Some(lineage) = self.lineages.get(id) else { continue };
            for version in lineage.live_from(*first) {
                let version_id = VersionId { memory: *id, version: version.version };
                if !self.named.contains(&version_id) {
                    undo.dependents.push(version_id);
                }
                derivations.extend(version.derivation.filter(|made| !lineage.has_before(*made, *first)));
            }
            match lineage.restored(*first, now) {
                Some(restored) => undo.restored.push(restored),
                None => {
                    undo.erasures.push(*id);
                    retracted.extend(
                        self.built_on.get(id).into_iter().flatten().map(|one| (one.memory, one.derivation)),
                    );
                }
            }
        }
        let erased: BTreeSet<MemoryId> = undo.erasures.iter().copied().collect();
        retracted.retain(|(memory, _)| !erased.contains(memory));
        undo.retractions =
            retracted.into_iter().map(|(memory, derivation)| Retraction { memory, derivation }).collect();
        undo.derivations = derivations.into_iter().collect();
        undo
    }
}

#[cfg(all(test, feature = "testing", feature = "sqlite"))]
mod tests;
