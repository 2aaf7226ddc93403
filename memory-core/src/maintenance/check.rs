//! Check of the index against the store, and of the store's internal consistency.

use crate::domain::scope::Caller;
use crate::engine::{Engine, needs_admin};
use crate::error::Error;
use crate::store::{Damage, StoreError};

/// Maximum number of owners checked in one step.
const OWNERS_PER_STEP: u32 = 1_000;

/// Setting that a probe of writing writes.
const WRITE_PROBE: &str = "write_probe";
/// Codes of damage after which memories have no rows.
const WITHOUT_ROWS: [&str; 2] = ["missing_row", "unreadable_row"];

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
        if repair {
            self.embed_missing(&mut report).await?;
        }
        let is_damaged = report.damage.iter().any(|damage| damage.code == "database");
        let differing = match self.compare(caller, &mut report).await {
            // It is told already, and the index cannot be compared with what cannot be read.
            Err(Error::Store(StoreError::Damaged(_))) if is_damaged => 0,
            differing => differing?,
        };
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

    /// Counts the owners and memories of the tenant, and the differences of the index in memory.
    async fn compare(&self, caller: &Caller, report: &mut CheckReport) -> Result<u64, Error> {
        let (mut after, mut differing) = (None, 0);
        loop {
            let owners = self.store.owners(caller.tenant, after, OWNERS_PER_STEP).await?;
            let Some(last) = owners.last() else { return Ok(differing) };
            after = Some(last.partition);
            for owner in owners {
                report.partitions += 1;
                report.memories += owner.memory_count;
                differing += self.index.differences(owner.partition).await?;
            }
        }
    }

    /// Writes a setting: proof that the store can be written to.
    ///
    /// Errors: [`StoreError::Full`] and [`StoreError::ReadOnly`] as [`Error::Store`], among others.
    pub async fn probe_write(&self) -> Result<(), Error> {
        Ok(self.store.put_setting(WRITE_PROBE, &self.now().as_micros().to_string()).await?)
    }

    /// Requests a job that embeds the memories without rows, if there are any and jobs are worked on.
    async fn embed_missing(&self, report: &mut CheckReport) -> Result<(), Error> {
        let wanting = report.damage.iter_mut().filter(|damage| WITHOUT_ROWS.contains(&damage.code));
        let wanting = Vec::from_iter(wanting);
        if wanting.is_empty() || self.job_runner().is_none() {
            return Ok(());
        }
        let job = self.embed_anew().await?;
        for damage in wanting {
            damage.repaired = true;
            damage.detail = format!("{}; job {job} embeds the memories anew", damage.detail);
        }
        self.index.clear_cache().await;
        Ok(())
    }
}
