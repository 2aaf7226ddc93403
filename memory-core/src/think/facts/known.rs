//! Known facts that may concern candidates: those in the groups of their subjects and slots, and the nearest ones.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::derivation::{Derivation, Source};
use crate::domain::filter::{Field, Filter, Scalar, Test};
use crate::domain::group::GroupKey;
use crate::domain::id::{MemoryId, PartitionId, TurnId};
use crate::domain::link::Link;
use crate::domain::memory::{Kind, Memory};
use crate::domain::name::Name;
use crate::domain::statement::{Attribute, Statement};
use crate::domain::time::Timestamp;
use crate::error::Error;
use crate::index::{Index, Nearest, ValidTime, View};
use crate::store::Store;
use crate::think::candidate::CandidateFact;
use crate::think::resolve::{Evidence, KnownFact, normalised};

/// Number of nearest known facts that are compared with one candidate.
const NEAREST: usize = 8;
/// Number of known facts of one group that are compared, the newest first.
const PER_GROUP: u32 = 64;

/// Known facts around the candidates of one batch.
#[derive(Debug, Default)]
pub(in crate::think) struct Known {
    pub(in crate::think) facts: Vec<KnownFact>,
    /// For each candidate its nearest known facts, with cosines.
    pub(in crate::think) near: Vec<Vec<(MemoryId, f64)>>,
    /// Names of the user.
    pub(in crate::think) user_names: Vec<Name>,
}

/// Ports through which known facts are read.
pub(in crate::think) struct Reader<'a> {
    pub(in crate::think) store: &'a Arc<dyn Store>,
    pub(in crate::think) index: &'a Arc<dyn Index>,
    pub(in crate::think) partition: PartitionId,
    pub(in crate::think) kind: Kind,
    pub(in crate::think) now: Timestamp,
}

impl Reader<'_> {
    /// Known facts around these candidates, of which `vectors` has a vector each, where there is one.
    pub(in crate::think) async fn known(
        &self,
        candidates: &[CandidateFact],
        vectors: &[Option<Arc<[f32]>>],
    ) -> Result<Known, Error> {
        let user_names = self.user_names().await?;
        let keys = group_keys(candidates, &user_names);
        let in_groups = self.store.in_groups(self.partition, &keys, PER_GROUP).await?;
        let near = self.nearest(vectors).await?;
        let mut ids: Vec<MemoryId> = in_groups.into_iter().map(|(_, memory)| memory).collect();
        ids.extend(near.iter().flatten().map(|(memory, _)| *memory));
        ids.sort_unstable();
        ids.dedup();
        let facts = self.with_evidence(self.store.memories(self.partition, &ids).await?).await?;
        Ok(Known { facts, near, user_names })
    }

    /// Facts with their provenance.
    pub(in crate::think) async fn with_evidence(
        &self,
        memories: Vec<Memory>,
    ) -> Result<Vec<KnownFact>, Error> {
        let memories: Vec<Memory> = memories
            .into_iter()
            .filter(|memory| memory.kind == self.kind && memory.statement.is_some())
            .collect();
        let ids: Vec<MemoryId> = memories.iter().map(|memory| memory.id).collect();
        let derivations: BTreeMap<MemoryId, Derivation> =
            self.store.evidence(self.partition, &ids).await?.into_iter().collect();
        let turns = self.turns_in_evidence(&memories, &derivations).await?;
        let by_memory: BTreeMap<MemoryId, &Evidence> = turns.values().map(|one| (one.memory, one)).collect();
        let known = memories.into_iter().map(|memory| {
            let inputs = derivations.get(&memory.id).map(|one| one.inputs.clone()).unwrap_or_default();
            let of_inputs =
                inputs.iter().filter(|input| input.is_evidence).filter_map(|input| match input.source {
                    Source::Turn(turn) => turns.get(&turn),
                    Source::Memory(memory) => by_memory.get(&memory).copied(),
                });
            let of_links = supporting(&memory).filter_map(|turn| by_memory.get(&turn).copied());
            let mut evidence: Vec<Evidence> = of_inputs.chain(of_links).cloned().collect();
            evidence.sort_by_key(|one| (one.said_at, one.memory));
            evidence.dedup_by_key(|one| one.memory);
            KnownFact { memory, inputs, evidence }
        });
        Ok(known.collect())
    }

    /// Turns that support these facts, by id.
    async fn turns_in_evidence(
        &self,
        memories: &[Memory],
        derivations: &BTreeMap<MemoryId, Derivation>,
    ) -> Result<BTreeMap<TurnId, Evidence>, Error> {
        let inputs = derivations.values().flat_map(|one| &one.inputs).filter(|input| input.is_evidence);
        let mut turns: Vec<TurnId> = inputs
            .filter_map(|input| match input.source {
                Source::Turn(turn) => Some(turn),
                Source::Memory(_) => None,
            })
            .collect();
        turns.sort_unstable();
        turns.dedup();
        let mut linked: Vec<MemoryId> = memories.iter().flat_map(supporting).collect();
        linked.sort_unstable();
        linked.dedup();
        let mut found = self.store.memories_of_turns(self.partition, &turns).await?;
        found.extend(self.store.memories(self.partition, &linked).await?);
        let evidence = found.into_iter().filter_map(|memory| {
            let origin = memory.origin?;
            let evidence = Evidence {
                memory: memory.id,
                turn: origin.turn,
                said_at: memory.happened.at,
                role: origin.role,
                author: origin.author,
            };
            Some((origin.turn, evidence))
        });
        Ok(evidence.collect())
    }

    /// Names that the user goes by: the values of the slot `name`.
    async fn user_names(&self) -> Result<Vec<Name>, Error> {
        let slot = Attribute::new("name").and_then(|name| GroupKey::slot(Statement::USER, &name));
        let keys: Vec<GroupKey> = slot.into_iter().collect();
        let ids: Vec<MemoryId> = self
            .store
            .in_groups(self.partition, &keys, PER_GROUP)
            .await?
            .into_iter()
            .map(|(_, id)| id)
            .collect();
        let named = self.store.memories(self.partition, &ids).await?;
        Ok(named.into_iter().filter_map(|memory| memory.statement?.object).collect())
    }

    async fn nearest(&self, vectors: &[Option<Arc<[f32]>>]) -> Result<Vec<Vec<(MemoryId, f64)>>, Error> {
        let places: Vec<usize> =
            (0..vectors.len()).filter(|at| vectors.get(*at).is_some_and(Option::is_some)).collect();
        let queries: Vec<Arc<[f32]>> = vectors.iter().flatten().cloned().collect();
        let mut near = vec![Vec::new(); vectors.len()];
        if queries.is_empty() {
            return Ok(near);
        }
        let kind = Scalar::Text(self.kind.as_str().to_owned());
        let view = View {
            filter: Filter::Field(Field::Kind, Test::Eq(kind)),
            valid: ValidTime { at: self.now, hides_ended: false, hides_later: false },
            ..View::present(self.now)
        };
        let found = self.index.nearest(self.partition, &queries, &view, NEAREST).await?;
        for (at, found) in places.into_iter().zip(found) {
            if let Some(near) = near.get_mut(at) {
                let found =
                    found.into_iter().map(|Nearest { memory, similarity }| (memory, f64::from(similarity)));
                near.extend(found);
            }
        }
        Ok(near)
    }
}

/// Memories of the turns that repeat a fact.
fn supporting(memory: &Memory) -> impl Iterator<Item = MemoryId> {
    let links = memory.links.iter().filter(|link| link.relation.as_str() == Link::SUPPORTED_BY);
    links.map(|link| link.to)
}

/// Groups of the subjects and slots of candidates.
fn group_keys(candidates: &[CandidateFact], user_names: &[Name]) -> Vec<GroupKey> {
    let users: Vec<String> = user_names.iter().map(|name| normalised(name.as_str())).collect();
    let mut keys: Vec<GroupKey> = candidates
        .iter()
        .flat_map(|candidate| {
            let name = normalised(candidate.statement.subject.as_str());
            let subject = if users.contains(&name) { Statement::USER.to_owned() } else { name };
            GroupKey::of_fact(&subject, candidate.statement.attribute.as_ref())
        })
        .collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}
