//! Profile of state for callers: the slots of a subject, read from its group.

use std::collections::BTreeMap;

use crate::domain::group::GroupKey;
use crate::domain::id::{MemoryId, PartitionId, TurnId};
use crate::domain::memory::{Kind, Memory};
use crate::domain::name::Name;
use crate::domain::scope::{Caller, Scope};
use crate::domain::statement::Statement;
use crate::domain::time::Timestamp;
use crate::engine::{Engine, needs_read};
use crate::error::Error;
use crate::scope::owner;
use crate::think::facts::known::Reader;
use crate::think::profile::{Profile, profile};
use crate::think::resolve::normalised;

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
    /// Turns that are the evidence of each fact of the profile, oldest first.
    pub evidence: BTreeMap<MemoryId, Vec<TurnId>>,
}

impl Engine {
    /// State of a subject at one time. It calls no model and searches no index.
    ///
    /// # Errors
    /// [`Error`] when the scope is invalid, the caller lacks the right to read, or the store fails.
    pub async fn profile(&self, caller: &Caller, request: &ProfileRequest) -> Result<StateProfile, Error> {
        needs_read(caller)?;
        let owner = owner(&request.scope)?;
        let valid_at = request.valid_at.unwrap_or_else(|| self.now());
        let subject = request.subject.as_ref().map_or(Statement::USER, Name::as_str).to_owned();
        let name = Name::new(&subject).map_err(|error| Error::invalid("subject", error))?;
        let partition = self.store.partition_of(caller.tenant, &owner).await?;
        let facts = match partition {
            Some(partition) => self.facts_about(partition, &subject, request.known_at).await?,
            None => Vec::new(),
        };
        let in_force: Vec<Memory> = facts
            .into_iter()
            .filter(|memory| memory.expires_at.is_none_or(|expires| expires > valid_at))
            .collect();
        let profile = profile(&in_force, &name, valid_at, request.partner.as_ref());
        let shown = in_force.into_iter().filter(|memory| is_shown(&profile, memory.id)).collect();
        let evidence = match partition {
            Some(partition) => self.evidence_of(partition, shown).await?,
            None => BTreeMap::new(),
        };
        Ok(StateProfile { subject, valid_at, profile, evidence })
    }

    /// Turns that are the evidence of each of these facts.
    async fn evidence_of(
        &self,
        partition: PartitionId,
        facts: Vec<Memory>,
    ) -> Result<BTreeMap<MemoryId, Vec<TurnId>>, Error> {
        let reader =
            Reader { store: &self.store, index: &self.index, partition, kind: Kind::Fact, now: self.now() };
        let known = reader.with_evidence(facts).await?.into_iter();
        Ok(known.map(|fact| (fact.memory.id, fact.evidence.iter().map(|one| one.turn).collect())).collect())
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

/// True if a profile shows a fact.
fn is_shown(profile: &Profile, fact: MemoryId) -> bool {
    let slots = profile.slots.iter().flat_map(|slot| slot.values.iter().chain(&slot.history));
    slots.chain(&profile.facts).any(|value| value.fact == fact)
}
