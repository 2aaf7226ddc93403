//! Record of a recall (step 7): entries of the access log, and of the audit log of grants. Written behind the answer.

use std::collections::HashMap;

use super::response::{GrantRead, Recalled};
use super::uses::Outcomes;
use crate::domain::id::{GrantEventId, PartitionId};
use crate::domain::name::Name;
use crate::domain::scope::Caller;
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
}
