//! Digests for callers: a list by day and level with what each covers, and the portrait.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use crate::domain::derivation::{Derivation, Source};
use crate::domain::digest::Level;
use crate::domain::id::{DerivationId, MemoryId, PartitionId, TurnId};
use crate::domain::memory::Memory;
use crate::domain::name::Name;
use crate::domain::scope::{Caller, Scope};
use crate::domain::time::Timestamp;
use crate::engine::{Engine, needs_read};
use crate::error::Error;
use crate::scope::owner;

/// Maximum number of digests in one answer, the latest days first.
pub const DIGESTS_AT_MOST: usize = 366;

/// Maximum number of ids of one list of a digest.
pub const COVERS_AT_MOST: usize = 100;

/// Maximum number of versions of an edited digest among which its last derivation is looked for, the latest ones.
const VERSIONS_READ: u32 = 64;

/// Request of digests.
#[derive(Clone, Debug)]
pub struct DigestsRequest {
    /// Scope of the digests.
    pub scope: Scope,
    /// Only those of this level; `None` for those of days and of all days.
    pub level: Option<Level>,
    /// First day; `None` for no bound. Digests of no single day have no bounds.
    pub from: Option<Date>,
    /// Last day.
    pub to: Option<Date>,
    /// Person to whom they will be told; `None` for the owner.
    pub partner: Option<Name>,
}

/// Digest with what it covers.
#[derive(Clone, Debug)]
pub struct ShownDigest {
    /// Level.
    pub level: Level,
    /// Local day; `None` for a digest of no single day.
    pub day: Option<Date>,
    /// Memory.
    pub memory: Memory,
    /// Memories of the turns, or digests, that were in view when it was made, in the order of ids; at most
    /// [`COVERS_AT_MOST`]. Of an edited digest, those of its last version by a mechanism.
    pub covers: Vec<MemoryId>,
    /// Number of all memories that were in view.
    pub covers_count: u32,
    /// Those of them that its text rests on; at most [`COVERS_AT_MOST`].
    pub evidence: Vec<MemoryId>,
    /// Memories of the turns that it rests on, directly or through another digest or fact; at most [`COVERS_AT_MOST`].
    pub turns: Vec<MemoryId>,
    /// True if the owner wrote it.
    pub is_edited: bool,
    /// True if a mechanism made this version without a language model.
    pub is_extractive: bool,
    /// Time of this version.
    pub made_at: Timestamp,
}

/// Portrait of the user, with the digest of all days.
#[derive(Clone, Debug, Default)]
pub struct Portrait {
    /// Statements in force, the oldest first.
    pub statements: Vec<ShownDigest>,
    /// Digest of all days; `None` if there is none.
    pub events: Option<ShownDigest>,
}

impl Engine {
    /// Digests of a scope, the latest days first, at most [`DIGESTS_AT_MOST`].
    ///
    /// # Errors
    /// [`Error`] when the scope is invalid, the caller lacks the right to read, or the store fails.
    pub async fn digests(
        &self,
        caller: &Caller,
        request: &DigestsRequest,
    ) -> Result<Vec<ShownDigest>, Error> {
        needs_read(caller)?;
        let owner = owner(&request.scope)?;
        let Some(partition) = self.store.partition_of(caller.tenant, &owner).await? else {
            return Ok(Vec::new());
        };
        let levels = Level::ALL.into_iter().filter(|level| match request.level {
            Some(wanted) => *level == wanted,
            None => *level != Level::Portrait,
        });
        let mut found = Vec::new();
        for level in levels {
            found.extend(self.digests_of(partition, level).await?);
        }
        let is_wanted = |memory: &Memory| match Level::of(memory) {
            Some((_, Some(day))) => {
                request.from.is_none_or(|from| from <= day) && request.to.is_none_or(|to| day <= to)
            }
            Some((_, None)) => true,
            None => false,
        };
        found.retain(|memory| is_wanted(memory) && memory.may_be_told_to(request.partner.as_ref()));
        found
            .sort_by_key(|memory| std::cmp::Reverse((Level::of(memory).and_then(|(_, day)| day), memory.id)));
        found.truncate(DIGESTS_AT_MOST);
        self.shown_digests(partition, found).await
    }

    /// Portrait of the user of a scope, with the digest of all days. It calls no model and searches no index.
    ///
    /// # Errors
    /// As [`Engine::digests`].
    pub async fn portrait(
        &self,
        caller: &Caller,
        scope: &Scope,
        partner: Option<&Name>,
    ) -> Result<Portrait, Error> {
        needs_read(caller)?;
        let owner = owner(scope)?;
        let Some(partition) = self.store.partition_of(caller.tenant, &owner).await? else {
            return Ok(Portrait::default());
        };
        let mut statements = self.digests_of(partition, Level::Portrait).await?;
        statements.sort_by_key(|memory| memory.id);
        statements.retain(|memory| memory.may_be_told_to(partner));
        let mut events = self.digests_of(partition, Level::EventsOfAll).await?;
        events.retain(|memory| Level::of(memory) == Some((Level::EventsOfAll, None)));
        events.retain(|memory| memory.may_be_told_to(partner));
        Ok(Portrait {
            statements: self.shown_digests(partition, statements).await?,
            events: self.shown_digests(partition, events).await?.pop(),
        })
    }

    async fn shown_digests(
        &self,
        partition: PartitionId,
        memories: Vec<Memory>,
    ) -> Result<Vec<ShownDigest>, Error> {
        let ids: Vec<MemoryId> = memories.iter().map(|memory| memory.id).collect();
        let present: BTreeMap<MemoryId, Derivation> =
            self.store.evidence(partition, &ids).await?.into_iter().collect();
        let of_caller = |memory: &Memory| Derivation::is_of_caller(present.get(&memory.id));
        let edited: BTreeSet<MemoryId> =
            memories.iter().filter(|memory| of_caller(memory)).map(|memory| memory.id).collect();
        let derivations = self.with_earlier(partition, &memories, present).await?;
        // What a statement rests on is a digest, which rests on turns.
        let below: BTreeSet<MemoryId> =
            derivations.values().flat_map(evidence_of).filter_map(memory_of).collect();
        let below: BTreeMap<MemoryId, Derivation> =
            self.store.evidence(partition, &Vec::from_iter(below)).await?.into_iter().collect();
        let sources = derivations.values().chain(below.values()).flat_map(|one| &one.inputs);
        let turns: BTreeSet<TurnId> = sources.filter_map(|input| turn_of(input.source)).collect();
        let of_turns = self.store.memories_of_turns(partition, &Vec::from_iter(turns)).await?;
        let of_turns: BTreeMap<TurnId, MemoryId> =
            of_turns.iter().filter_map(|memory| Some((memory.origin.as_ref()?.turn, memory.id))).collect();
        let id_of = |source: Source| match source {
            Source::Turn(turn) => of_turns.get(&turn).copied(),
            Source::Memory(memory) => Some(memory),
        };
        let shown = memories.into_iter().filter_map(|memory| {
            let (level, day) = Level::of(&memory)?;
            let derivation = derivations.get(&memory.id);
            let inputs = derivation.iter().flat_map(|one| &one.inputs);
            let covers: BTreeSet<MemoryId> = inputs.filter_map(|input| id_of(input.source)).collect();
            let evidence: Vec<Source> = derivation.into_iter().flat_map(evidence_of).collect();
            let behind = evidence.iter().filter_map(|source| below.get(&memory_of(*source)?));
            let behind = behind.flat_map(evidence_of).chain(evidence.iter().copied());
            let turns: BTreeSet<MemoryId> =
                behind.filter_map(|source| of_turns.get(&turn_of(source)?).copied()).collect();
            let evidence: BTreeSet<MemoryId> = evidence.iter().filter_map(|source| id_of(*source)).collect();
            Some(ShownDigest {
                level,
                day,
                covers_count: u32::try_from(covers.len()).unwrap_or(u32::MAX),
                covers: covers.into_iter().take(COVERS_AT_MOST).collect(),
                evidence: evidence.into_iter().take(COVERS_AT_MOST).collect(),
                turns: turns.into_iter().take(COVERS_AT_MOST).collect(),
                is_edited: edited.contains(&memory.id),
                is_extractive: !edited.contains(&memory.id)
                    && derivation.is_some_and(|derivation| derivation.maker.model.is_none()),
                made_at: memory.recorded_at,
                memory,
            })
        });
        Ok(shown.collect())
    }

    /// Derivations of digests: of one that a caller has edited, that of its latest version by a mechanism.
    async fn with_earlier(
        &self,
        partition: PartitionId,
        memories: &[Memory],
        mut derivations: BTreeMap<MemoryId, Derivation>,
    ) -> Result<BTreeMap<MemoryId, Derivation>, Error> {
        for memory in memories.iter().filter(|memory| memory.version > 1 && memory.derivation.is_none()) {
            let from = memory.version.saturating_sub(VERSIONS_READ);
            let store = &self.store;
            let earlier = store.earlier_versions_from(partition, memory.id, from, VERSIONS_READ).await?;
            let ids: Vec<DerivationId> = earlier.iter().filter_map(|version| version.derivation).collect();
            let mut found = store.derivations_by_id(partition, &ids).await?;
            found.retain(|one| !Derivation::is_of_caller(Some(one)));
            let latest = ids.iter().rev().find_map(|id| found.iter().find(|one| one.id == *id));
            derivations.extend(latest.map(|one| (memory.id, one.clone())));
        }
        Ok(derivations)
    }
}

/// What a digest rests on.
fn evidence_of(derivation: &Derivation) -> impl Iterator<Item = Source> {
    derivation.inputs.iter().filter(|input| input.is_evidence).map(|input| input.source)
}

fn turn_of(source: Source) -> Option<TurnId> {
    match source {
        Source::Turn(turn) => Some(turn),
        Source::Memory(_) => None,
    }
}

fn memory_of(source: Source) -> Option<MemoryId> {
    match source {
        Source::Turn(_) => None,
        Source::Memory(memory) => Some(memory),
    }
}
