//! Loads from a segment: the segment is compared with the change log, and the log after it is replayed.
//!
//! A segment that does not belong to this history of the store is refused, such as one from before a backup was restored:
//! the last entries up to its number must be of memories that it has or lacks as the log says, and after the replay it
//! must have as many memories as the store. So is one whose replay would take longer than a full load, or would replay an
//! erasure: an erasure removes the segment before it is committed, so that only a foreign one can have it in its tail.

use std::collections::HashSet;

use super::partition::Partition;
use crate::domain::id::{MemoryId, PartitionId};
use crate::index::IndexError;
use crate::store::{ChangeEntry, ChangeOp, IndexSource};

/// Changes that are replayed at most; with more the whole partition is read.
const MAX_TAIL: u64 = 32_768;
/// Share of the rows up to which the tail is replayed: one in so many.
const MAX_TAIL_SHARE: u64 = 2;
/// Changes that are replayed in any case.
const FEW_CHANGES: u64 = 1_024;
/// Entries of the change log that are read at once, and entries before the segment that are compared.
const ENTRIES_PER_PAGE: u32 = 2_048;
const ENTRIES_COMPARED: u32 = 256;
/// Rounds of replay at most, each for what was committed during the one before.
const MAX_ROUNDS: usize = 8;

/// The partition of a segment with the log after it replayed; `None` if it is refused.
pub(super) async fn caught_up(
    source: &dyn IndexSource,
    id: PartitionId,
    mut partition: Partition,
) -> Result<Option<Partition>, IndexError> {
    if !is_of_this_history(source, id, &partition).await? {
        return Ok(None);
    }
    for _ in 0..MAX_ROUNDS {
        let extent = source.extent(id).await?;
        if extent.last_seq == partition.seq() {
            let is_whole = partition.memories() == extent.memories && !partition.is_worn();
            return Ok(is_whole.then_some(partition));
        }
        let Some(tail) = extent.last_seq.checked_sub(partition.seq()) else { return Ok(None) };
        let rows = u64::try_from(partition.rows()).unwrap_or(u64::MAX);
        if tail > MAX_TAIL.min(FEW_CHANGES.max(rows / MAX_TAIL_SHARE)) {
            return Ok(None);
        }
        if !replay(source, id, &mut partition).await? {
            return Ok(None);
        }
    }
    // Commits come faster than they are replayed.
    Ok(None)
}

/// True if the last changes up to the partition's number agree with its memories.
async fn is_of_this_history(
    source: &dyn IndexSource,
    id: PartitionId,
    partition: &Partition,
) -> Result<bool, IndexError> {
    let after = partition.seq().saturating_sub(u64::from(ENTRIES_COMPARED));
    let entries = source.changes(id, after, ENTRIES_COMPARED).await?;
    let last_of_each: HashSet<(MemoryId, bool)> = {
        let mut seen = HashSet::new();
        let latest_first = entries.iter().rev().filter(|entry| entry.seq <= partition.seq());
        latest_first
            .filter(|entry| seen.insert(entry.memory))
            .map(|entry| (entry.memory, entry.op != ChangeOp::Erase))
            .collect()
    };
    let reaches = entries.last().is_some_and(|last| last.seq == partition.seq()) || partition.seq() == 0;
    Ok(reaches && last_of_each.iter().all(|(memory, is_there)| partition.has(*memory) == *is_there))
}

/// Replays the log after the partition's number, up to its end. False if it has an erasure, or a memory that cannot be
/// read.
async fn replay(
    source: &dyn IndexSource,
    id: PartitionId,
    partition: &mut Partition,
) -> Result<bool, IndexError> {
    loop {
        let entries = source.changes(id, partition.seq(), ENTRIES_PER_PAGE).await?;
        let Some(last) = entries.last().map(|entry| entry.seq) else { return Ok(true) };
        if entries.iter().any(|entry| entry.op == ChangeOp::Erase) {
            return Ok(false);
        }
        let mut changed = distinct(&entries, ChangeOp::Put);
        let mut touched = distinct(&entries, ChangeOp::Touch);
        touched.retain(|id| changed.binary_search(id).is_err());
        let retained = source.retained(id, &touched).await?;
        changed.extend(retained.iter().filter(|one| partition.restores(one)).map(|one| one.memory));
        let indexed = source.indexed(id, &changed).await?;
        if indexed.len() != changed.len() || retained.len() != touched.len() {
            return Ok(false);
        }
        for one in &indexed {
            partition.put(one)?;
        }
        for one in &retained {
            partition.touch(one)?;
        }
        partition.set_seq(last);
        if entries.len() < ENTRIES_PER_PAGE as usize {
            return Ok(true);
        }
    }
}

/// Memories of the entries with an operation, in the order of ids.
fn distinct(entries: &[ChangeEntry], op: ChangeOp) -> Vec<MemoryId> {
    let of_op = entries.iter().filter(|entry| entry.op == op);
    let mut ids: Vec<MemoryId> = of_op.map(|entry| entry.memory).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}
