//! Uses by recalls, written behind their answers: those of one group of the access log and one owner are one change set, through
//! the commit queue, so that the index follows. It does not name the engine, which holds the writer of the access log.

use std::collections::HashMap;

use futures::future::join_all;

use crate::domain::change::{ChangeSet, Touch};
use crate::domain::id::{PartitionId, TenantId};
use crate::domain::scope::Owner;
use crate::domain::time::Timestamp;
use crate::error::Error;
use crate::indexing::commit_queue::CommitQueue;
use crate::store::{Store, StoreError};

/// Maximum number of uses in one change set; more are several sets.
const USES_PER_SET: usize = 2_000;
/// Maximum number of sets in the commit queue at a time, which requests share.
const SETS_AT_ONCE: usize = 16;

/// Uses of the memories of one owner by one recall.
#[derive(Debug)]
pub(crate) struct Reinforcement {
    pub(super) tenant: TenantId,
    pub(super) owner: Owner,
    pub(super) partition: PartitionId,
    /// Time by the clock of the engine.
    pub(super) recorded_at: Timestamp,
    pub(super) touches: Vec<Touch>,
}

/// Commits the uses of a group; returns the number of change sets that could not be committed. They are lost: the next recall
/// of their memories is a use again.
pub(super) async fn commit(store: &dyn Store, commits: &CommitQueue, group: Vec<Reinforcement>) -> u64 {
    let mut failed = 0;
    for some in sets(group).chunks(SETS_AT_ONCE) {
        let outcomes = join_all(some.iter().map(|one| commit_one(store, commits, one))).await;
        failed += outcomes.iter().filter(|is_done| !**is_done).count() as u64;
    }
    failed
}

/// Change sets of a group: one for each owner, and more for more than [`USES_PER_SET`] uses.
pub(super) fn sets(group: Vec<Reinforcement>) -> Vec<(PartitionId, ChangeSet)> {
    let mut of_owners: HashMap<(TenantId, Owner, PartitionId), (Timestamp, Vec<Touch>)> = HashMap::new();
    for one in group {
        let key = (one.tenant, one.owner, one.partition);
        let (recorded_at, touches) = of_owners.entry(key).or_insert((one.recorded_at, Vec::new()));
        *recorded_at = (*recorded_at).max(one.recorded_at);
        touches.extend(one.touches);
    }
    let mut sets = Vec::new();
    for ((tenant, owner, partition), (recorded_at, touches)) in of_owners {
        for some in touches.chunks(USES_PER_SET) {
            let set = ChangeSet::new(tenant, owner.clone(), recorded_at);
            sets.push((partition, ChangeSet { touches: some.to_vec(), ..set }));
        }
    }
    sets
}

/// True unless the set was lost. Nothing is written for an owner that was erased meanwhile, and to a store that is read only.
async fn commit_one(
    store: &dyn Store,
    commits: &CommitQueue,
    (partition, set): &(PartitionId, ChangeSet),
) -> bool {
    let committed = async {
        if store.partition_of(set.tenant, &set.owner).await? == Some(*partition) {
            commits.commit(set.clone()).await?;
        }
        Ok::<_, Error>(())
    };
    match committed.await {
        Ok(()) | Err(Error::Store(StoreError::ReadOnly(_))) => true,
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, uses = set.touches.len(), "uses of recalled memories not noted");
            false
        }
    }
}
