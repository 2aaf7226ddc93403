//! Memories that the recalled digests cover: for the answer, and for the choice between digests and what they cover. Digests of
//! other owners are left out: what they cover may not be the reader's to know.

use std::collections::{HashMap, HashSet};

use super::deadline::Deadline;
use super::fuse::Fused;
use super::load::TEXTS_PER_READ;
use super::loaded::Loaded;
use super::response::{Covers, Degraded};
use super::told::{Coverage, sums_up};
use crate::domain::derivation::Source;
use crate::domain::id::{MemoryId, PartitionId, TurnId};
use crate::domain::memory::{Kind, Memory};
use crate::engine::Engine;
use crate::error::Error;
use crate::scope::SearchTargets;

/// Maximum number of turns of one recall whose memories are named in what digests cover, those of the best digests first.
const COVERED_TURNS: usize = 1_024;

/// Coverage of recalled digests.
#[derive(Debug, Default)]
pub(super) struct Covered {
    /// All that each covers.
    sources: HashMap<MemoryId, Vec<Source>>,
    /// Digests that sum up what they cover.
    summaries: HashSet<MemoryId>,
    /// Memories of covered turns.
    of_turns: HashMap<TurnId, MemoryId>,
}

impl Covered {
    /// Memories that a digest covers; `None` for another memory.
    pub(super) fn of_digest(&self, id: MemoryId) -> Option<Covers> {
        let sources = self.sources.get(&id)?;
        let memories = sources.iter().take(Covers::AT_MOST).filter_map(|source| match source {
            Source::Turn(turn) => self.of_turns.get(turn).copied(),
            Source::Memory(memory) => Some(*memory),
        });
        Some(Covers { memories: memories.collect(), count: u32::try_from(sources.len()).unwrap_or(u32::MAX) })
    }

    /// Coverage of the digests that sum up events.
    pub(super) fn coverage(&self) -> Coverage {
        let summaries = self.sources.iter().filter(|(id, _)| self.summaries.contains(id));
        summaries.map(|(id, sources)| (*id, sources.iter().copied().collect())).collect()
    }

    fn add(&mut self, digest: &Memory, sources: impl Iterator<Item = Source>) {
        let mut sources: Vec<Source> = sources.collect();
        // Ids grow with time.
        sources.sort_unstable_by_key(|source| match source {
            Source::Turn(turn) => turn.0,
            Source::Memory(memory) => memory.0,
        });
        sources.dedup();
        self.sources.insert(digest.id, sources);
        if sums_up(digest) {
            self.summaries.insert(digest.id);
        }
    }

    /// Covered turns that the answer names, those of the first digests first.
    fn named_turns(&self, digests: &[MemoryId]) -> Vec<TurnId> {
        let sources = digests.iter().filter_map(|id| self.sources.get(id));
        let named = sources.flat_map(|sources| sources.iter().take(Covers::AT_MOST));
        let mut seen = HashSet::new();
        let turns = named.filter_map(|source| match source {
            Source::Turn(turn) => seen.insert(*turn).then_some(*turn),
            Source::Memory(_) => None,
        });
        turns.take(COVERED_TURNS).collect()
    }
}

impl Engine {
    /// Coverage of the ranked digests; nothing if it cannot be read by the deadline. A recall without digests reads nothing.
    pub(super) async fn covered_in_time(
        &self,
        targets: &SearchTargets,
        fused: &[Fused],
        loaded: &Loaded,
        deadline: &Deadline,
        degraded: &mut Vec<Degraded>,
    ) -> Result<Covered, Error> {
        let mut covered = Covered::default();
        for (partition, view) in &targets.partitions {
            let ranked = fused.iter().filter(|one| one.partition == *partition && !view.shared_only);
            let digests = ranked.filter_map(|one| loaded.get(&one.memory));
            let digests: Vec<&Memory> = digests.filter(|one| one.kind == Kind::Digest).collect();
            if digests.is_empty() {
                continue;
            }
            let read = self.add_covered(*partition, &digests, &mut covered);
            if deadline.step(read).await.transpose()?.is_none() {
                if !degraded.contains(&Degraded::ContextDeadline) {
                    degraded.push(Degraded::ContextDeadline);
                }
                return Ok(Covered::default());
            }
        }
        Ok(covered)
    }

    /// Reads what digests of a partition cover. The derivation of another version than the one that is shown says nothing of it.
    async fn add_covered(
        &self,
        partition: PartitionId,
        digests: &[&Memory],
        covered: &mut Covered,
    ) -> Result<(), Error> {
        let ids: Vec<MemoryId> = digests.iter().map(|digest| digest.id).collect();
        let mut derivations: HashMap<MemoryId, _> =
            self.store.evidence(partition, &ids).await?.into_iter().collect();
        for digest in digests {
            let derivation = derivations.remove(&digest.id);
            if let Some(derivation) = derivation.filter(|one| digest.derivation == Some(one.id)) {
                covered.add(digest, derivation.inputs.iter().map(|input| input.source));
            }
        }
        for turns in covered.named_turns(&ids).chunks(TEXTS_PER_READ) {
            let memories = self.store.memories_of_turns(partition, turns).await?;
            let of_turns =
                memories.iter().filter_map(|memory| Some((memory.origin.as_ref()?.turn, memory.id)));
            covered.of_turns.extend(of_turns);
        }
        Ok(())
    }
}
