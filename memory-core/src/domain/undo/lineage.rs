//! Lineage of a memory: which versions of its history the present content stands on.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::domain::id::{DerivationId, TurnId};
use crate::domain::memory::{Memory, Strength};
use crate::domain::time::Timestamp;

/// History of a memory as the planner needs it.
#[derive(Clone, Debug, Default)]
pub struct KnownHistory {
    /// All versions, oldest first.
    pub versions: Vec<Memory>,
    /// For each version, its first number in the change log of the partition.
    pub change_numbers: BTreeMap<u32, u64>,
}

/// Next version of a memory, with the content of an earlier one.
#[derive(Clone, Debug, PartialEq)]
pub struct Restored {
    /// The memory. Its derivation is the one of the earlier version.
    pub memory: Memory,
    /// True if the text that it is found by differs from the present one, so that it needs new index rows.
    pub has_other_text: bool,
    /// True if the statement or the tags differ from the present ones, so that it needs new groups.
    pub has_other_statement: bool,
}

/// History of a memory, of at least one version, with the indices of its live versions.
#[derive(Debug)]
pub(super) struct Lineage {
    versions: Vec<Memory>,
    /// Indices of the live versions, ascending. Of versions with the same content, the first one.
    live: Vec<usize>,
    change_numbers: BTreeMap<u32, u64>,
}

impl Lineage {
    pub(super) fn new(history: KnownHistory) -> Option<Self> {
        let KnownHistory { versions, change_numbers } = history;
        let same = first_with_same_content(&versions);
        let mut live = Vec::new();
        let mut next = versions.len().checked_sub(1);
        next?;
        while let Some(first) = next.and_then(|index| same.get(index).copied()) {
            live.push(first);
            next = first.checked_sub(1);
        }
        live.reverse();
        Some(Self { versions, live, change_numbers })
    }

    /// True if the history begins with the version that created the memory.
    pub(super) fn begins_with_creation(&self) -> bool {
        self.versions.first().is_some_and(|version| version.version <= 1)
    }

    /// Turn of the memory, if it is the memory of one.
    pub(super) fn turn(&self) -> Option<TurnId> {
        self.versions.first()?.origin.as_ref().map(|origin| origin.turn)
    }

    /// Index and number of a version, if it is live.
    pub(super) fn live_at(&self, version: u32) -> Option<(usize, u32)> {
        self.live_versions().find(|(_, one)| one.version == version).map(|(index, one)| (index, one.version))
    }

    /// Index and number of the first live version of a derivation.
    pub(super) fn live_of(&self, derivation: DerivationId) -> Option<(usize, u32)> {
        let mut live = self.live_versions();
        live.find(|(_, one)| one.derivation == Some(derivation)).map(|(index, one)| (index, one.version))
    }

    /// Live versions from an index on.
    pub(super) fn live_from(&self, first: usize) -> impl Iterator<Item = &Memory> {
        self.live_versions().filter(move |(index, _)| *index >= first).map(|(_, version)| version)
    }

    fn live_versions(&self) -> impl Iterator<Item = (usize, &Memory)> {
        self.live.iter().filter_map(|index| Some((*index, self.versions.get(*index)?)))
    }

    /// True if a version before an index is of this derivation.
    pub(super) fn has_before(&self, derivation: DerivationId, first: usize) -> bool {
        self.versions.iter().take(first).any(|version| version.derivation == Some(derivation))
    }

    /// Number in the change log of the version at an index.
    pub(super) fn change_number(&self, index: usize) -> Option<u64> {
        self.change_numbers.get(&self.versions.get(index)?.version).copied()
    }

    /// Number in the change log of the version that a derivation made.
    pub(super) fn change_number_of(&self, derivation: DerivationId) -> Option<u64> {
        let made = self.versions.iter().position(|version| version.derivation == Some(derivation))?;
        self.change_number(made)
    }

    /// The version after the present one, with the content before an index; `None` if nothing was before it.
    pub(super) fn restored(&self, first: usize, now: Timestamp) -> Option<Restored> {
        let before = self.versions.get(first.checked_sub(1)?)?;
        let present = self.versions.last()?;
        let version = present.version.saturating_add(1);
        let memory = Memory { version, recorded_at: now, ..before.clone() };
        let has_other_statement = (&memory.statement, &memory.tags) != (&present.statement, &present.tags);
        Some(Restored {
            has_other_text: memory.key_text() != present.key_text(),
            has_other_statement,
            memory,
        })
    }
}

/// For each version, the index of the first one with the same content.
fn first_with_same_content(versions: &[Memory]) -> Vec<usize> {
    let contents: Vec<Memory> = versions.iter().map(content).collect();
    // Histories may be long: only versions with the same hash are compared.
    let mut by_hash: HashMap<u64, Vec<usize>> = HashMap::new();
    let mut same = Vec::with_capacity(contents.len());
    for (index, one) in contents.iter().enumerate() {
        let mut hasher = DefaultHasher::new();
        format!("{one:?}").hash(&mut hasher);
        let alike = by_hash.entry(hasher.finish()).or_default();
        let first = alike.iter().copied().find(|first| contents.get(*first) == Some(one));
        if first.is_none() {
            alike.push(index);
        }
        same.push(first.unwrap_or(index));
    }
    same
}

/// Content of a version: all but its number, its recording time, the strength and the record of forgetting, which no
/// version has.
fn content(version: &Memory) -> Memory {
    let strength = Strength::new(version.strength.importance, 0.0, Timestamp::from_micros(0));
    Memory {
        version: 0,
        recorded_at: Timestamp::from_micros(0),
        strength,
        forgotten: None,
        ..version.clone()
    }
}
