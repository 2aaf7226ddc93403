//! Record of a recall (step 7): entries of the access log, and of the audit log of grants. Written behind the answer.

use std::collections::HashMap;

use super::response::{GrantRead, Recalled};
use crate::domain::id::{GrantEventId, MemoryId, PartitionId};
use crate::domain::name::Name;
use crate::domain::scope::{Caller, Scope};
use crate::domain::time::Timestamp;
use crate::engine::Engine;
use crate::error::Error;
use crate::scope::owner;
use crate::store::{GrantUse, RecallRecord};

impl Engine {
    /// Records a recall, made in a session of the scope if one is named.
    pub(super) async fn record(
        &self,
        caller: &Caller,
        (scope, session): (&Scope, Option<Name>),
        recalled: &Recalled,
        now: Timestamp,
    ) -> Result<(), Error> {
        // Another owner may have a session of the same key.
        let session = match session {
            Some(key) => {
                let own = self.store.partition_of(caller.tenant, &owner(scope)?).await?;
                own.map(|own| (own, key))
            }
            None => None,
        };
        self.record_access((caller, session.as_ref()), recalled, now);
        Ok(())
    }

    /// One access-log record per partition, of which that of the owner names the session; and one entry in the audit
    /// log of each grant that was read through.
    fn record_access(
        &self,
        (caller, session): (&Caller, Option<&(PartitionId, Name)>),
        recalled: &Recalled,
        now: Timestamp,
    ) {
        let mut hits: HashMap<PartitionId, Vec<(MemoryId, f32)>> = HashMap::new();
        for one in &recalled.memories {
            hits.entry(one.partition).or_default().push((one.memory.id, one.score));
        }
        for (partition, hits) in hits {
            let session = session.filter(|(own, _)| *own == partition).map(|(_, key)| key.clone());
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
