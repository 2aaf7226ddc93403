//! Check of the index against the store, and of the store's internal consistency.

use crate::domain::scope::Caller;
use crate::engine::{Engine, needs_admin};
use crate::error::Error;
use crate::store::Damage;

/// Maximum number of owners checked in one step.
const OWNERS_PER_STEP: u32 = 1_000;

/// Result of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckReport {
    /// Number of partitions of the caller's tenant.
    pub partitions: u64,
    /// Number of memories in them.
    pub memories: u64,
    /// Damage found, repaired or not.
    pub damage: Vec<Damage>,
}

impl CheckReport {
    /// True if no damage remains.
    pub fn is_healthy(&self) -> bool {
        self.damage.iter().all(|damage| damage.repaired)
    }
}

impl Engine {
    /// Searches for damage. If `repair` is set, repairs what can be repaired without loss.
    pub async fn check(&self, caller: &Caller, repair: bool) -> Result<CheckReport, Error> {
        needs_admin(caller)?;
        let mut report = CheckReport { partitions: 0, memories: 0, damage: self.store.check(repair).await? };
        let mut after = None;
        let mut differing = 0;
        loop {
            let owners = self.store.owners(caller.tenant, after, OWNERS_PER_STEP).await?;
            let Some(last) = owners.last() else { break };
            after = Some(last.partition);
            for owner in owners {
                report.partitions += 1;
                report.memories += owner.memory_count;
                differing += self.index.differences(owner.partition).await?;
            }
        }
        if differing > 0 {
            if repair {
                self.index.clear_cache().await;
            }
            report.damage.push(Damage {
                code: "index_differs",
                detail: "memories that the index in memory holds otherwise than the store".to_owned(),
                count: differing,
                repaired: repair,
            });
        }
        Ok(report)
    }
}
