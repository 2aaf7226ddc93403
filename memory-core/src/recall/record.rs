//! Record of a recall (step 7): entries of the access log and of the audit log of grants, and uses of the memories. Written
//! behind the answer.

use std::collections::HashMap;

use super::reinforce::Reinforcement;
use super::response::{GrantRead, Recalled};
use super::uses::{self, Counting, Outcomes};
use crate::domain::id::{GrantEventId, PartitionId, TenantId};
use crate::domain::name::Name;
use crate::domain::scope::{Caller, Owner, Scope};
use crate::domain::time::Timestamp;
use crate::engine::Engine;
use crate::store::{GrantUse, RecallHit, RecallRecord};

impl Engine {
    /// Records a recall, made in a session of the owner if one is named: one access-log record per partition, of which that of
    /// the owner names the session, because another owner may have a session of the same key; and one entry in the audit log
    /// of each grant that was read through.
    pub(super) fn record(
        &self,
        caller: &Caller,
        session: Option<&Name>,
        recalled: &Recalled,
        now: Timestamp,
    ) {
        let outcomes = Outcomes::of(recalled);
        let mut hits: HashMap<PartitionId, Vec<RecallHit>> = HashMap::new();
        for one in &recalled.memories {
            let (memory, score) = (one.memory.id, one.score);
            let hit = RecallHit { memory, score, outcome: outcomes.of_memory(memory) };
            hits.entry(one.partition).or_default().push(hit);
        }
        for (partition, hits) in hits {
            let session = session.filter(|_| recalled.own == Some(partition)).cloned();
            let record = RecallRecord { id: recalled.id, partition, session, recalled_at: now, hits };
            self.access_log.record(record);
        }
        // The audit log has the time of the engine, whatever time the request names.
        let at = self.now();
        for GrantRead { partition, grant, memories } in &recalled.reads {
            self.access_log.record_use(GrantUse {
                grant: *grant,
                partition: *partition,
                event: GrantEventId(self.ids.next(at)),
                at,
                caller: caller.id,
                recall: recalled.id,
                memories: *memories,
            });
        }
    }

    /// Enqueues the uses of its memories by a recall at `now`; none if no memory was returned whose use counts.
    pub(super) fn reinforce(&self, caller: &Caller, scope: &Scope, recalled: &Recalled, now: Timestamp) {
        let (Some(partition), Some(owner)) = (recalled.own, scope.owner()) else { return };
        let touches = uses::touches(recalled, now, self.counting(caller.tenant, &owner));
        if !touches.is_empty() {
            let (tenant, recorded_at) = (caller.tenant, self.now());
            self.access_log.reinforce(Reinforcement { tenant, owner, partition, recorded_at, touches });
        }
    }

    /// Rule of an owner for what counts as a use.
    pub(super) fn counting(&self, tenant: TenantId, owner: &Owner) -> Counting {
        let policy = self.policy_of(tenant, owner);
        Counting { from: policy.counts_from, refractory_us: policy.refractory_us() }
    }
}
