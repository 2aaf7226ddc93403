//! Mechanism `organise`: the groups that new facts touched → supersessions and merges, by a language model.
//!
//! A group is the bucket of a new fact, by default united with the facts about its entity ([`crate::think::tim::groups`]).
//! Without a language model nothing is left to do: duplicates and slots are resolved when facts are made.

mod contract;
mod edits;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use uuid::Uuid;

use contract::{INSTRUCTIONS, OrganiseContract, Part};
use edits::Edited;

use super::calls::maker;
use super::facts::known::Reader;
use super::facts::writing::{Writing, fact_set};
use super::mechanism::{Mechanism, Run};
use super::queue::batch::Batch;
use super::queue::request;
use super::resolve::{FactChanges, KnownFact, normalised};
use super::settings::{Task, TaskModel};
use super::tim::buckets::Buckets;
use super::tim::groups::{Grouping, MAX_GROUP_THOUGHTS, Placed};
use super::tim::organise::{DEFAULT_INPUT_TOKENS, FORGET_PROMPT, MERGE_PROMPT, Member, Shown};
use super::tim::profile::Profile;
use crate::domain::change::ChangeSet;
use crate::domain::derivation::Maker;
use crate::domain::group::GroupKey;
use crate::domain::id::{MemoryId, PartitionId};
use crate::domain::memory::{Kind, Memory};
use crate::domain::zone::Zone;
use crate::engine::Engine;
use crate::error::Error;
use crate::jobs::{JobFailure, JobOutcome};
use crate::model::language_model::ask::Prompt;

/// Maximum number of attempts when other writes commit first.
const CONFLICTS: usize = 4;
/// Maximum number of groups that one job organises.
const GROUPS_AT_MOST: usize = 1;
/// Number of stored facts of one key that are grouped, the newest first.
const PER_KEY: u32 = 64;
/// Cosine from which a stored fact is near enough to a new one for a call of the model, in the default profile.
const NEAR_COSINE: f32 = 0.6;

/// Facts of one group, with the accepted edits of the model.
struct Organised {
    changes: FactChanges,
    maker: Maker,
}

/// Organises the groups of the facts that a job names.
pub(in crate::think) struct OrganiseFacts;

#[async_trait]
impl Mechanism for OrganiseFacts {
    fn kind(&self) -> &'static str {
        request::ORGANISE
    }

    async fn think(&self, engine: &Engine, run: &Run, memories: &[Uuid]) -> Result<JobOutcome, JobFailure> {
        engine.organise_facts(run, memories).await
    }
}

impl Engine {
    /// Organises the groups that these new facts touched.
    pub(super) async fn organise_facts(&self, run: &Run, new: &[Uuid]) -> Result<JobOutcome, JobFailure> {
        let Some(model) = self.thinking.settings.model(Task::Organise) else { return Ok(JobOutcome::Done) };
        let Some(partition) = self.store.partition_of(run.tenant, &run.owner).await? else {
            return Ok(JobOutcome::Done);
        };
        let new: Vec<MemoryId> = new.iter().copied().map(MemoryId).collect();
        for _ in 0..CONFLICTS {
            let Some(set) = self.organised(run, partition, &new, model).await? else {
                return Ok(JobOutcome::Done);
            };
            match self.commits.commit(set).await {
                Ok(_) => return Ok(JobOutcome::Committed),
                Err(Error::VersionConflict { .. } | Error::Busy | Error::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(JobFailure::Retry { code: "version_conflict".to_owned() })
    }

    /// The change set of the groups; `None` if there is nothing to change.
    async fn organised(
        &self,
        run: &Run,
        partition: PartitionId,
        new: &[MemoryId],
        model: &TaskModel,
    ) -> Result<Option<ChangeSet>, JobFailure> {
        let now = self.now();
        let first = self.store.memories(partition, new).await?;
        let Some(kind) = first.first().map(|memory| memory.kind) else { return Ok(None) };
        let profile = if kind == Kind::Thought { Profile::Paper } else { Profile::Corrected };
        let groups = self.groups_of(partition, &first, profile).await?;
        let reader = Reader { store: &self.store, index: &self.index, partition, kind, now };
        let mut set = ChangeSet::new(run.tenant, run.owner.clone(), now);
        set.finishes = Some(run.context.attempt());
        let mut has_changes = false;
        for group in groups.into_iter().take(GROUPS_AT_MOST) {
            let members = reader.with_evidence(self.store.memories(partition, &group).await?).await?;
            let organised = self.organise_group(run, (partition, kind, profile), &members, model).await?;
            if let Some(Organised { changes, maker }) = organised {
                has_changes |= !changes.facts.is_empty() || !changes.revisions.is_empty();
                let (indexed, batch) = (self.index_texts(&[], "facts").await?, Batch::default());
                let writing = Writing {
                    engine: self,
                    maker: &maker,
                    job: run.job_id(),
                    batch: &batch,
                    indexed: &indexed,
                };
                fact_set(&writing, changes, &mut set).await?;
            }
        }
        Ok(has_changes.then_some(set))
    }

    /// Asks the model about one group: once by default, twice as published.
    async fn organise_group(
        &self,
        run: &Run,
        (partition, kind, profile): (PartitionId, Kind, Profile),
        members: &[KnownFact],
        model: &TaskModel,
    ) -> Result<Option<Organised>, JobFailure> {
        let now = self.now();
        let calls = self.model_calls(run.tenant, Some(partition));
        let ask = async |shown: &Shown, part: Part| {
            let contract = OrganiseContract { shown, profile, part };
            let system = match part {
                Part::Forget => FORGET_PROMPT,
                Part::Merge => MERGE_PROMPT,
                Part::Both => INSTRUCTIONS,
            };
            let prompt = Prompt { system: system.to_owned(), user: shown.input().to_owned() };
            let called = calls.ask(Task::Organise, model, &contract, prompt).await?;
            Ok::<_, JobFailure>((called.reply, maker(profile.as_str(), model, &contract)))
        };
        let zone = self.zone_of_owner(run.tenant, &run.owner);
        let shown_members: Vec<Member> = members.iter().map(|fact| member(&fact.memory, &zone)).collect();
        let Some(shown) = Shown::new(&shown_members, DEFAULT_INPUT_TOKENS) else { return Ok(None) };
        let (mut edits, mut maker) =
            ask(&shown, if profile == Profile::Paper { Part::Forget } else { Part::Both }).await?;
        if profile == Profile::Paper
            && let Some(rest) = Shown::new(&shown.in_force_after(&edits), DEFAULT_INPUT_TOKENS)
        {
            let (merges, merger) = ask(&rest, Part::Merge).await?;
            maker = if merges.is_empty() { maker } else { merger };
            edits.extend(merges);
        }
        let ids: Vec<MemoryId> = edits.iter().map(|_| MemoryId(self.ids.next(now))).collect();
        let changes = edits::changes(&Edited { members, edits: &edits, ids: &ids, kind, now });
        Ok(Some(Organised { changes, maker }))
    }

    /// The groups that new facts touch, in which there is something to organise.
    async fn groups_of(
        &self,
        partition: PartitionId,
        new: &[Memory],
        profile: Profile,
    ) -> Result<Vec<Vec<MemoryId>>, Error> {
        let buckets = self.buckets()?;
        let new_ids: Vec<MemoryId> = new.iter().map(|memory| memory.id).collect();
        let entities: BTreeSet<String> = new.iter().filter_map(entity).collect();
        let keys: Vec<GroupKey> = match profile {
            Profile::Paper => Vec::new(),
            Profile::Corrected => entities.iter().filter_map(|entity| GroupKey::entity(entity)).collect(),
        };
        let mut vectors = self.vectors(partition, &new_ids).await?;
        let own = vectors.values().filter_map(|vector| buckets.key(vector)).collect::<BTreeSet<_>>();
        let keys: Vec<GroupKey> = keys.into_iter().chain(own).collect();
        let found = self.store.in_groups(partition, &keys, PER_KEY).await?;
        let mut ids: Vec<MemoryId> =
            found.into_iter().map(|(_, memory)| memory).chain(new_ids.clone()).collect();
        ids.sort_unstable();
        ids.dedup();
        let kind = new.first().map_or(Kind::Fact, |memory| memory.kind);
        let is_in_force = |memory: &Memory| {
            memory.kind == kind
                && memory.valid.end.is_none()
                && memory.expires_at.is_none_or(|expires| expires > self.now())
        };
        let memories = self.store.memories(partition, &ids).await?;
        let memories: Vec<Memory> = memories.into_iter().filter(is_in_force).collect();
        let ids: Vec<MemoryId> = memories.iter().map(|memory| memory.id).collect();
        let others: Vec<MemoryId> = ids.into_iter().filter(|id| !vectors.contains_key(id)).collect();
        vectors.extend(self.vectors(partition, &others).await?);
        let placed: Vec<Placed> = memories
            .iter()
            .map(|memory| Placed {
                memory: memory.id,
                bucket: vectors.get(&memory.id).and_then(|vector| buckets.bucket(vector)),
                entity: entity(memory).unwrap_or_default(),
                recorded_at: memory.recorded_at,
            })
            .collect();
        let cosine = |one: MemoryId, other: MemoryId| match (vectors.get(&one), vectors.get(&other)) {
            (Some(one), Some(other)) => one.iter().zip(other.iter()).map(|(x, y)| x * y).sum(),
            _ => -1.0,
        };
        let is_worth_a_call = |group: &Vec<MemoryId>| {
            let pairs = new_ids.iter().filter(|id| group.contains(id));
            let mut pairs = pairs.flat_map(|one| group.iter().map(move |other| (*one, *other)));
            profile == Profile::Paper
                || pairs.any(|(one, other)| one != other && cosine(one, other) >= NEAR_COSINE)
        };
        let groups = Grouping::new(profile, &placed, MAX_GROUP_THOUGHTS).touched_by(&new_ids, cosine);
        Ok(groups.into_iter().filter(is_worth_a_call).collect())
    }

    /// Unit vector of the first row of each of these memories.
    pub(super) async fn vectors(
        &self,
        partition: PartitionId,
        ids: &[MemoryId],
    ) -> Result<BTreeMap<MemoryId, Arc<[f32]>>, Error> {
        let indexed = self.store.indexed(partition, ids).await?;
        let vectors = indexed.iter().filter_map(|one| Some((one.memory.id, one.rows.first()?.vector_f32()?)));
        Ok(vectors.collect())
    }

    /// Buckets of the embedder in use.
    pub(super) fn buckets(&self) -> Result<Buckets, Error> {
        let active = self.active_embedder();
        let settings = &self.thinking.settings;
        Buckets::new(settings, active.id, active.embedder.identity().dimension)
            .map_err(|error| Error::invalid("thinking", error))
    }
}

fn entity(memory: &Memory) -> Option<String> {
    memory.statement.as_ref().map(|statement| normalised(statement.subject.as_str()))
}

/// A member with its day: of the offset of its time, else of `zone`.
fn member(memory: &Memory, zone: &Zone) -> Member {
    let statement = memory.statement.as_ref();
    Member {
        memory: memory.id,
        text: memory.text.clone(),
        head: statement.map(|statement| statement.subject.to_string()).unwrap_or_default(),
        author: statement.map_or(crate::domain::turn::Role::User, |statement| statement.said_by),
        happened_at: memory.happened.at,
        zone: zone.or_own(memory.happened.offset),
        recorded_at: memory.recorded_at,
    }
}
