//! Plan of an undo: reads from the store what the pure planner asks for, until nothing more is built on what is taken
//! back.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::id::{DerivationId, JobId, MemoryId, PartitionId};
use crate::domain::memory::Memory;
use crate::domain::time::Timestamp;
use crate::domain::undo::{KnownHistory, MadeVersion, Undo, UndoPlanner};
use crate::error::Error;
use crate::store::Store;

/// Versions that a request names.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Named {
    /// All that a job made.
    Job(JobId),
    /// One version of a memory; `None` is the present one.
    Version(MemoryId, Option<u32>),
}

/// Derivations read at once.
const PAGE: u32 = 1_000;
/// Inputs read for each memory of the bound: a memory is rarely in view of more derivations than this.
const INPUTS_PER_MEMORY: usize = 64;

/// Plans the undo in a partition. The plan is of one state only if the partition has not changed from before the call to
/// the commit, which `ChangeSet::prepared_at` ensures.
///
/// Errors: [`Error::OverLimit`] if more than `limit` memories would be changed; [`Error::NotFound`] if the memory is not
/// there; [`Error::Invalid`] if it never had the version.
pub(crate) async fn plan_undo(
    store: &dyn Store,
    partition: PartitionId,
    named: Named,
    limit: usize,
    now: Timestamp,
) -> Result<Undo, Error> {
    let mut planner = UndoPlanner::default();
    match named {
        Named::Job(job) => {
            let made = made_by(store, partition, job, limit).await?;
            let ids: BTreeSet<MemoryId> = made.iter().map(|one| one.memory).collect();
            learn(store, partition, &mut planner, ids, limit).await?;
            for MadeVersion { derivation, memory, .. } in made {
                planner.name_derivation(memory, derivation);
            }
        }
        Named::Version(id, version) => {
            let present = learn(store, partition, &mut planner, BTreeSet::from([id]), limit).await?;
            let not_found = || Error::NotFound { what: "memory", id: id.to_string() };
            let present = present.first().copied().ok_or_else(not_found)?;
            let version = version.unwrap_or(present);
            if version == 0 || version > present {
                let detail = format!("must be a version of the memory, 1 to {present}");
                return Err(Error::invalid("version", detail));
            }
            planner.name_version(id, version);
        }
    }
    loop {
        within(planner.changed_memories(), limit)?;
        let sources = planner.unread_sources();
        if sources.is_empty() {
            return Ok(planner.finish(now));
        }
        let at_most = limit.saturating_mul(INPUTS_PER_MEMORY);
        let asked = u32::try_from(at_most.saturating_add(1)).unwrap_or(u32::MAX);
        let built = store.built_on(partition, &sources, asked).await?;
        if built.len() > at_most {
            return Err(over_limit("the number of derivations built on what one undo takes back", at_most));
        }
        let new = built.iter().map(|one| one.memory).filter(|id| !planner.knows(*id)).collect();
        learn(store, partition, &mut planner, new, limit).await?;
        planner.follow(built);
    }
}

/// Versions that a job made, if they are of at most `limit` memories with 64 versions each.
async fn made_by(
    store: &dyn Store,
    partition: PartitionId,
    job: JobId,
    limit: usize,
) -> Result<Vec<MadeVersion>, Error> {
    let mut made: Vec<MadeVersion> = Vec::new();
    loop {
        let after: Option<DerivationId> = made.last().map(|one| one.derivation);
        let page = store.made_by(partition, job, after, PAGE).await?;
        if page.is_empty() {
            return Ok(made);
        }
        made.extend(page);
        let at_most = limit.saturating_mul(INPUTS_PER_MEMORY);
        if made.len() > at_most {
            return Err(over_limit("the number of versions of one undo", at_most));
        }
    }
}

/// Reads the histories of memories for the planner; returns the numbers of their present versions.
async fn learn(
    store: &dyn Store,
    partition: PartitionId,
    planner: &mut UndoPlanner,
    ids: BTreeSet<MemoryId>,
    limit: usize,
) -> Result<Vec<u32>, Error> {
    within(ids.len(), limit)?;
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let ids = Vec::from_iter(ids);
    let mut numbers: BTreeMap<MemoryId, BTreeMap<u32, u64>> = BTreeMap::new();
    for (id, version, number) in store.change_numbers(partition, &ids).await? {
        numbers.entry(id).or_default().insert(version, number);
    }
    let mut present_versions = Vec::with_capacity(ids.len());
    for present in store.memories(partition, &ids).await? {
        let id = present.id;
        present_versions.push(present.version);
        let mut versions: Vec<Memory> = store.earlier_versions(partition, id).await?;
        // An edit may have come between the two reads; the commit refuses the plan then.
        versions.retain(|version| version.version < present.version);
        versions.push(present);
        let change_numbers = numbers.remove(&id).unwrap_or_default();
        planner.learn(id, KnownHistory { versions, change_numbers });
    }
    Ok(present_versions)
}

fn within(memories: usize, limit: usize) -> Result<(), Error> {
    if memories > limit {
        return Err(over_limit("the number of memories changed by one undo", limit));
    }
    Ok(())
}

fn over_limit(what: &'static str, limit: usize) -> Error {
    Error::OverLimit { field: "undo".to_owned(), what, limit: u64::try_from(limit).unwrap_or(u64::MAX) }
}
