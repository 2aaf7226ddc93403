//! Grants of the store port: read access that owners give, and its audit log. They belong to the partition of the giver and
//! go with it, with their grantee, and with what they name, in the transaction that erases it.

use std::fmt::Debug;

use async_trait::async_trait;

use super::StoreError;
use crate::domain::change::Idempotency;
use crate::domain::grant::{Grant, GrantEvent, Revocation, Selection};
use crate::domain::id::{CallerId, GrantEventId, GrantId, MemoryId, PartitionId, RecallId, TenantId};
use crate::domain::scope::Owner;
use crate::domain::time::Timestamp;

/// Grant to be given.
#[derive(Clone, Debug)]
pub struct NewGrant {
    /// Grant, which is not revoked.
    pub grant: Grant,
    /// Id of the entry of the audit log.
    pub event: GrantEventId,
    /// Idempotency key of the request, if it has one. The grant keeps digests of it as long as it is there.
    pub idempotency: Option<Idempotency>,
}

/// Bounds on the grants of one giver and of one grantee.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrantBounds {
    /// Grants of one giver that are there, open ones and ended ones.
    pub per_giver: u32,
    /// Open grants to one grantee.
    pub per_grantee: u32,
}

/// Outcome of giving a grant.
#[derive(Clone, Debug, PartialEq)]
pub enum Given {
    /// The grant is given.
    New(Grant),
    /// An earlier request with the same key gave this grant.
    Repeated(Grant),
    /// Nothing was given.
    Refused(GrantRefusal),
}

/// Reason to give no grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantRefusal {
    /// The giver has no memories.
    NoGiver,
    /// The giver has no such memory.
    NoMemory(MemoryId),
    /// The grant ends before it begins.
    Over,
    /// The idempotency key was used for another request.
    KeyReused,
    /// The giver has as many open grants as it may have.
    GiverFull,
    /// The grantee has as many open grants as it may have.
    GranteeFull,
}

/// Party whose grants are listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GrantParty {
    /// Giver.
    Giver(Owner),
    /// Grantee.
    Grantee(Owner),
}

/// Page of grants, in the order of ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrantPage {
    /// Time at which the grants must be open; `None` to list ended ones too.
    pub open_at: Option<Timestamp>,
    /// Last grant of the page before.
    pub after: Option<GrantId>,
    /// Maximum number of grants.
    pub limit: u32,
}

/// Grant that is open to a principal, with the partition that it opens a part of.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenGrant {
    /// Grant.
    pub id: GrantId,
    /// Partition of the giver.
    pub partition: PartitionId,
    /// Giver.
    pub giver: Owner,
    /// Memories that it opens.
    pub selection: Selection,
}

/// Read through a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrantUse {
    /// Grant.
    pub grant: GrantId,
    /// Partition of the giver.
    pub partition: PartitionId,
    /// Id of the entry of the audit log.
    pub event: GrantEventId,
    /// Time.
    pub at: Timestamp,
    /// Caller that read.
    pub caller: CallerId,
    /// Recall.
    pub recall: RecallId,
    /// Number of memories that were read.
    pub memories: u32,
}

/// Grants, with their audit log.
#[async_trait]
pub trait Grants: Send + Sync + Debug {
    /// Gives a grant and notes it in the audit log, in one transaction. If the giver has as many grants as it may have, the
    /// oldest ended one is deleted with its audit log.
    async fn give(&self, tenant: TenantId, new: &NewGrant, bounds: GrantBounds) -> Result<Given, StoreError>;

    /// Revokes a grant and notes it in the audit log, in one transaction. When it returns, no read opens anything through the
    /// grant, in any process. A grant that was revoked before stays as it is. `None` if there is no such grant.
    async fn revoke(
        &self,
        tenant: TenantId,
        id: GrantId,
        revocation: Revocation,
        event: GrantEventId,
    ) -> Result<Option<Grant>, StoreError>;

    /// Grant by its id.
    async fn grant(&self, tenant: TenantId, id: GrantId) -> Result<Option<Grant>, StoreError>;

    /// Grants of a party.
    async fn grants(
        &self,
        tenant: TenantId,
        party: &GrantParty,
        page: GrantPage,
    ) -> Result<Vec<Grant>, StoreError>;

    /// Grants that are open to any of these principals at a time, the oldest first. One that cannot be decoded opens nothing.
    async fn open_grants(
        &self,
        tenant: TenantId,
        grantees: &[Owner],
        at: Timestamp,
    ) -> Result<Vec<OpenGrant>, StoreError>;

    /// Notes reads in the audit logs, and deletes the oldest reads of each grant over `keep_per_grant`. Reads through grants
    /// that are gone are not noted.
    async fn record_grant_uses(&self, uses: &[GrantUse], keep_per_grant: u32) -> Result<(), StoreError>;

    /// Entries of the audit log of a grant before `before`, newest first, at most `limit`; `None` if there is no such grant.
    async fn grant_events(
        &self,
        tenant: TenantId,
        id: GrantId,
        before: Option<GrantEventId>,
        limit: u32,
    ) -> Result<Option<Vec<GrantEvent>>, StoreError>;
}
