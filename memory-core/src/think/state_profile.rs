//! Profile of state for callers: the slots of a subject, read from its group.

use super::facts::normalised;
use super::profile::{Profile, profile};
use crate::domain::group::GroupKey;
use crate::domain::id::{MemoryId, PartitionId};
use crate::domain::memory::{Kind, Memory};
use crate::domain::name::Name;
use crate::domain::scope::{Caller, Scope};
use crate::domain::statement::Statement;
use crate::domain::time::Timestamp;
use crate::engine::{Engine, needs_read};
use crate::error::Error;
use crate::scope::owner;

/// Maximum number of facts of one subject that a profile reads, the newest first.
pub const FACTS_PER_PROFILE: u32 = 4_096;

/// Request of a profile.
#[derive(Clone, Debug)]
pub struct ProfileRequest {
    /// Scope of the facts.
    pub scope: Scope,
    /// Subject; `None` for the user.
    pub subject: Option<Name>,
    /// Valid time; `None` for the clock's.
    pub valid_at: Option<Timestamp>,
    /// Record time: what was recorded by then; `None` for the present versions.
    pub known_at: Option<Timestamp>,
    /// Person to whom it will be told; `None` for the owner, who sees all.
    pub partner: Option<Name>,
}

/// Profile of a subject at a time.
#[derive(Clone, Debug)]
pub struct StateProfile {
    /// Subject.
    pub subject: String,
    /// Valid time.
    pub valid_at: Timestamp,
    /// State.
    pub profile: Profile,
}

impl Engine {
    /// What is true of a subject at one time. It calls no model and searches no index.
    ///
    /// # Errors
    /// [`Error`] when the scope is invalid, the caller lacks the right to read, or the store fails.
    pub async fn profile(&self, caller: &Caller, request: &ProfileRequest) -> Result<StateProfile, Error> {
        needs_read(caller)?;
        let owner = owner(&request.scope)?;
        let valid_at = request.valid_at.unwrap_or_else(|| self.now());
        let subject = request.subject.as_ref().map_or(Statement::USER, Name::as_str).to_owned();
        let name = Name::new(&subject).map_err(|error| Error::invalid("subject", error))?;
        let facts = match self.store.partition_of(caller.tenant, &owner).await? {
            Some(partition) => self.facts_about(partition, &subject, request.known_at).await?,
            None => Vec::new(),
        };
        let in_force: Vec<Memory> = facts
            .into_iter()
            .filter(|memory| memory.expires_at.is_none_or(|expires| expires > valid_at))
            .collect();
        let profile = profile(&in_force, &name, valid_at, request.partner.as_ref());
        Ok(StateProfile { subject, valid_at, profile })
    }

    async fn facts_about(
        &self,
        partition: PartitionId,
        subject: &str,
        known_at: Option<Timestamp>,
    ) -> Result<Vec<Memory>, Error> {
        let keys: Vec<GroupKey> = GroupKey::entity(&normalised(subject)).into_iter().collect();
        let in_group = self.store.in_groups(partition, &keys, FACTS_PER_PROFILE).await?;
        let ids: Vec<MemoryId> = in_group.into_iter().map(|(_, memory)| memory).collect();
        let memories = match known_at {
            Some(at) => self.store.versions_at(partition, &ids, at).await?,
            None => self.store.memories(partition, &ids).await?,
        };
        Ok(memories.into_iter().filter(|memory| memory.kind == Kind::Fact).collect())
    }
}
