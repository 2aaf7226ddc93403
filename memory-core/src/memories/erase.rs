//! Erasing: one memory by its id, or all that a filter matches. The latter needs a confirmation that names exactly the
//! memories that were previewed, so that nothing is erased that nobody has seen.

use sha2::{Digest, Sha256};

use super::request::{Confirmed, ErasurePreview};
use crate::domain::change::{ChangeSet, Idempotency, Outcome};
use crate::domain::filter::Filter;
use crate::domain::id::{MemoryId, PartitionId};
use crate::domain::scope::{Caller, Owner, Scope};
use crate::engine::{Engine, needs_delete, needs_read};
use crate::error::Error;
use crate::scope::owner;
use crate::store::IdPage;

/// Memories shown in a preview.
const SAMPLE: usize = 20;

impl Engine {
    /// Erases a memory with all that was made of it; answers what went. A repetition under the same key answers what
    /// went the first time.
    pub async fn erase(
        &self,
        caller: &Caller,
        id: MemoryId,
        idempotency: Option<Idempotency>,
    ) -> Result<Vec<MemoryId>, Error> {
        needs_delete(caller)?;
        // The memory itself is not read: one that cannot be decoded is erased like any other.
        match self.store.owner_of_memory(caller.tenant, id).await? {
            Some(owner) => self.erase_all(caller, owner, vec![id], idempotency).await,
            None => {
                let gone = Error::NotFound { what: "memory", id: id.to_string() };
                let created = self.earlier(caller, None, idempotency.as_ref()).await?;
                created.map(|created| created.erased).ok_or(gone)
            }
        }
    }

    /// Previews a deletion by filter. It covers only memories that the scope owns.
    pub async fn preview_erasure(
        &self,
        caller: &Caller,
        scope: &Scope,
        filter: Filter,
    ) -> Result<ErasurePreview, Error> {
        needs_read(caller)?;
        let Some((partition, ids)) = self.all_matching(caller, scope, &filter).await? else {
            return Ok(ErasurePreview {
                matched: 0,
                sample: Vec::new(),
                confirmation: confirmation(None, &[]),
            });
        };
        let newest = ids.get(ids.len().saturating_sub(SAMPLE)..).unwrap_or_default();
        let mut sample = self.store.memories(partition, newest).await?;
        sample.reverse();
        let confirmation = confirmation(Some(partition), &ids);
        Ok(ErasurePreview { matched: ids.len() as u64, sample, confirmation })
    }

    /// Erases what a preview has shown; answers how many matched and what went. If other memories match by now,
    /// nothing is erased.
    pub async fn erase_matching(
        &self,
        caller: &Caller,
        scope: &Scope,
        filter: Filter,
        confirmed: Confirmed<'_>,
    ) -> Result<(u64, Vec<MemoryId>), Error> {
        needs_delete(caller)?;
        let Confirmed { confirmation: confirmed, idempotency } = confirmed;
        let owner = owner(scope)?;
        if let Some(created) = self.earlier(caller, Some(&owner), idempotency.as_ref()).await? {
            return Ok((created.erased.len() as u64, created.erased));
        }
        let (partition, ids) = match self.all_matching(caller, scope, &filter).await? {
            Some((partition, ids)) => (Some(partition), ids),
            None => (None, Vec::new()),
        };
        if confirmation(partition, &ids) != confirmed {
            return Err(Error::ConfirmationStale);
        }
        if ids.is_empty() {
            return Ok((0, Vec::new()));
        }
        let matched = ids.len() as u64;
        match self.erase_all(caller, owner, ids, idempotency).await {
            // One of them went between the look and the leap.
            Err(Error::NotFound { .. }) => Err(Error::ConfirmationStale),
            outcome => Ok((matched, outcome?)),
        }
    }

    async fn erase_all(
        &self,
        caller: &Caller,
        owner: Owner,
        ids: Vec<MemoryId>,
        idempotency: Option<Idempotency>,
    ) -> Result<Vec<MemoryId>, Error> {
        let mut set = ChangeSet::new(caller.tenant, owner, self.now());
        set.idempotency = idempotency;
        set.erasures = ids;
        // A recall logged just before must not outlive the memories that it names.
        self.access_log.settle().await;
        let outcome = self.commits.commit(set).await?;
        self.thinking.forget_replies();
        match outcome {
            Outcome::Committed(committed) => Ok(committed.created.erased),
            Outcome::Repeated(created) => Ok(created.erased),
        }
    }

    /// All memories that a filter selects, oldest first, if one call may erase so many.
    async fn all_matching(
        &self,
        caller: &Caller,
        scope: &Scope,
        filter: &Filter,
    ) -> Result<Option<(PartitionId, Vec<MemoryId>)>, Error> {
        let limit = u32::try_from(self.limits.erasures_per_call).unwrap_or(u32::MAX);
        let page = IdPage { after: None, newest_first: false, limit };
        let Some((partition, matching)) = self.own_matching(caller, scope, filter, page).await? else {
            return Ok(None);
        };
        if matching.has_more {
            let what = "the number of memories erased by one call";
            return Err(Error::OverLimit { field: "filter".to_owned(), what, limit: u64::from(limit) });
        }
        Ok(Some((partition, matching.ids)))
    }
}

/// A name for exactly these memories of this partition.
fn confirmation(partition: Option<PartitionId>, ids: &[MemoryId]) -> String {
    let mut digest = Sha256::new();
    digest.update(partition.map_or(0, |partition| partition.0).to_le_bytes());
    for id in ids {
        digest.update(id.0.as_bytes());
    }
    digest.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
