//! Feedback on recalls: raises the outcomes of hits in the access log, and says which of them are uses of their memories. Both are
//! one transaction, so that feedback is written once, and wholly.

use std::collections::{BTreeMap, HashMap};

use super::packed_hits::{pack_hits, unpack_hits};
use super::write_transaction::WriteTransaction;
use super::{StoreError, unavailable};
use crate::domain::change::{Feedback, Touch};
use crate::domain::id::{MemoryId, PartitionId, RecallId};

impl WriteTransaction<'_, '_> {
    /// Writes the evidence that outweighs what the access log has, and returns the uses among it. A recall that is not in the
    /// log, or whose hits cannot be decoded, is skipped.
    pub(super) async fn raise_outcomes(
        &mut self,
        partition: PartitionId,
        feedback: &[Feedback],
    ) -> Result<Vec<Touch>, StoreError> {
        let mut of_recalls: BTreeMap<RecallId, HashMap<MemoryId, Vec<&Feedback>>> = BTreeMap::new();
        for one in feedback {
            of_recalls.entry(one.recall).or_default().entry(one.memory).or_default().push(one);
        }
        let mut touches = Vec::new();
        for (recall, by_memory) in of_recalls {
            let packed: Option<Vec<u8>> =
                sqlx::query_scalar("SELECT hits FROM recalls WHERE partition_id = $1 AND id = $2")
                    .bind(partition.0)
                    .bind(recall.0)
                    .fetch_optional(&mut *self.connection)
                    .await
                    .map_err(unavailable)?;
            let Some(mut hits) = packed.as_deref().and_then(unpack_hits) else { continue };
            let mut is_raised = false;
            for hit in &mut hits {
                for one in by_memory.get(&hit.memory).into_iter().flatten() {
                    if !one.one.kind.outweighs(hit.outcome) {
                        continue;
                    }
                    (hit.outcome, is_raised) = (one.one.kind, true);
                    if one.counts {
                        let Feedback { memory, one, refractory_us, .. } = **one;
                        touches.push(Touch { memory, one, refractory_us });
                    }
                }
            }
            if is_raised {
                sqlx::query("UPDATE recalls SET hits = $3 WHERE partition_id = $1 AND id = $2")
                    .bind(partition.0)
                    .bind(recall.0)
                    .bind(pack_hits(&hits))
                    .execute(&mut *self.connection)
                    .await
                    .map_err(unavailable)?;
            }
        }
        Ok(touches)
    }
}
