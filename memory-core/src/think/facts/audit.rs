//! Audit of the facts of a scope: the facts are read with their evidence and judged by the rules of resolution.

use crate::domain::filter::{Field, Filter, Scalar, Test};
use crate::domain::id::PartitionId;
use crate::domain::memory::Kind;
use crate::domain::scope::{Caller, Scope};
use crate::engine::{Engine, needs_read};
use crate::error::Error;
use crate::scope::owner;
use crate::store::IdPage;
use crate::think::facts::known::Reader;
use crate::think::resolve::{AuditReport, KnownFact, Thresholds, audit};

/// Maximum number of facts in one audit, the newest first.
const FACTS_PER_AUDIT: usize = 10_000;
/// Facts read from the store in one call.
const FACTS_PER_READ: u32 = 500;

/// Audit of a scope.
#[derive(Clone, Debug)]
pub struct ScopeAudit {
    /// Report.
    pub report: AuditReport,
    /// True if the scope has more facts than one audit examines.
    pub is_partial: bool,
}

impl Engine {
    /// Counts the facts of a scope that should not be there.
    ///
    /// # Errors
    /// [`Error`] when the scope is invalid, the caller lacks the right to read, or the store fails.
    pub async fn audit_facts(&self, caller: &Caller, scope: &Scope) -> Result<ScopeAudit, Error> {
        needs_read(caller)?;
        let owner = owner(scope)?;
        let (facts, is_partial) = match self.store.partition_of(caller.tenant, &owner).await? {
            Some(partition) => self.all_facts(partition).await?,
            None => (Vec::new(), false),
        };
        let report = tokio::task::spawn_blocking(move || audit(&facts, &[], &Thresholds::default())).await;
        Ok(ScopeAudit { report: report.map_err(|_| Error::Stopping)?, is_partial })
    }

    /// Facts of a partition with their evidence, the newest first; true if there are more.
    async fn all_facts(&self, partition: PartitionId) -> Result<(Vec<KnownFact>, bool), Error> {
        let kind = Kind::Fact;
        let filter = Filter::Field(Field::Kind, Test::Eq(Scalar::Text(kind.as_str().to_owned())));
        let reader = Reader { store: &self.store, index: &self.index, partition, kind, now: self.now() };
        let (mut facts, mut after) = (Vec::new(), None);
        loop {
            let page = IdPage { after, newest_first: true, limit: FACTS_PER_READ };
            let found = self.store.matching_ids(partition, &filter, page).await?;
            after = found.ids.last().copied();
            facts.extend(reader.with_evidence(self.store.memories(partition, &found.ids).await?).await?);
            if !found.has_more {
                return Ok((facts, false));
            }
            if facts.len() >= FACTS_PER_AUDIT {
                return Ok((facts, true));
            }
        }
    }
}
