//! Grants: revoking, listing, and what recalls ask for. `given_grants` writes them, `grant_events` has their audit log;
//! `detach` and `erase` delete what goes with an owner or a memory.

use async_trait::async_trait;
use sqlx::QueryBuilder;
use uuid::Uuid;

use super::given_grants::give;
use super::grant_events::{self, NewEvent};
use super::idempotency::RecordDigests;
use super::stored_grants::{decode, grant_columns, partitions, read_grant};
use super::{Db, SqlStore, StoreError, dialect, unavailable};
use crate::domain::grant::{Grant, GrantEvent, GrantEventKind, Revocation};
use crate::domain::id::{GrantEventId, GrantId, PartitionId, TenantId};
use crate::domain::scope::Owner;
use crate::domain::time::Timestamp;
use crate::store::{
    Given, GrantBounds, GrantPage, GrantParty, GrantRefusal, GrantUse, Grants, Memories as _, NewGrant,
    OpenGrant,
};

/// Value of `open_until_us` of a revoked grant.
const REVOKED_US: i64 = i64::MIN;

const GRANTS_GIVEN: &str = concat!(
    grant_columns!(),
    "WHERE g.partition_id = $1 AND g.tenant_id = $2 AND g.id > $3 AND g.open_until_us >= $4 ORDER BY g.id LIMIT $5"
);
const GRANTS_RECEIVED: &str = concat!(
    grant_columns!(),
    "WHERE g.tenant_id = $1 AND g.grantee_kind = $2 AND g.grantee_name = $3 AND g.id > $4 AND g.open_until_us >= $5
     ORDER BY g.id LIMIT $6"
);
#[async_trait]
impl Grants for SqlStore {
    async fn give(&self, tenant: TenantId, new: &NewGrant, bounds: GrantBounds) -> Result<Given, StoreError> {
        let Some(partition) = self.partition_of(tenant, &new.grant.giver).await? else {
            return Ok(Given::Refused(GrantRefusal::NoGiver));
        };
        let mut transaction = self.writer.begin_with(dialect::BEGIN_WRITE).await.map_err(unavailable)?;
        let digests = new.idempotency.as_ref().map(|idempotency| {
            RecordDigests::of_request(&self.digests, tenant, Some(&new.grant.giver), idempotency)
        });
        let given = give(&mut transaction, (tenant, partition), new, digests.as_ref(), bounds).await?;
        match &given {
            Given::New(_) => transaction.commit().await.map_err(unavailable)?,
            Given::Repeated(_) | Given::Refused(_) => transaction.rollback().await.map_err(unavailable)?,
        }
        Ok(given)
    }

    async fn revoke(
        &self,
        tenant: TenantId,
        id: GrantId,
        revocation: Revocation,
        event: GrantEventId,
    ) -> Result<Option<Grant>, StoreError> {
        let mut transaction = self.writer.begin_with(dialect::BEGIN_WRITE).await.map_err(unavailable)?;
        let partition: Option<i64> = sqlx::query_scalar(
            "UPDATE grants SET revoked_us = $3, revoked_by_id = $4, open_until_us = $5
             WHERE id = $1 AND tenant_id = $2 AND revoked_us IS NULL RETURNING partition_id",
        )
        .bind(id.0)
        .bind(tenant.0)
        .bind(revocation.at.as_micros())
        .bind(revocation.by.0)
        .bind(REVOKED_US)
        .fetch_optional(&mut *transaction)
        .await
        .map_err(unavailable)?;
        if let Some(partition) = partition {
            let event = NewEvent {
                partition: PartitionId(partition),
                grant: id,
                event: GrantEvent {
                    id: event,
                    at: revocation.at,
                    kind: GrantEventKind::Revoked,
                    caller: revocation.by,
                    recall: None,
                    memories: 0,
                },
            };
            grant_events::insert(&mut transaction, &event).await?;
        }
        let grant = read_grant(&mut transaction, tenant, id).await?;
        transaction.commit().await.map_err(unavailable)?;
        Ok(grant)
    }

    async fn grant(&self, tenant: TenantId, id: GrantId) -> Result<Option<Grant>, StoreError> {
        let mut reader = self.readers.acquire().await.map_err(unavailable)?;
        read_grant(&mut reader, tenant, id).await
    }

    async fn grants(
        &self,
        tenant: TenantId,
        party: &GrantParty,
        page: GrantPage,
    ) -> Result<Vec<Grant>, StoreError> {
        let open_until = page.open_at.map_or(REVOKED_US, |at| at.as_micros().saturating_add(1));
        let after = page.after.map_or(Uuid::nil(), |id| id.0);
        let mut reader = self.readers.acquire().await.map_err(unavailable)?;
        let rows = match party {
            GrantParty::Giver(owner) => {
                let Some(partition) = self.partition_of(tenant, owner).await? else { return Ok(Vec::new()) };
                sqlx::query(GRANTS_GIVEN)
                    .bind(partition.0)
                    .bind(tenant.0)
                    .bind(after)
                    .bind(open_until)
                    .bind(i64::from(page.limit))
                    .fetch_all(&mut *reader)
                    .await
            }
            GrantParty::Grantee(owner) => {
                sqlx::query(GRANTS_RECEIVED)
                    .bind(tenant.0)
                    .bind(owner.kind.as_str())
                    .bind(owner.id.as_str())
                    .bind(after)
                    .bind(open_until)
                    .bind(i64::from(page.limit))
                    .fetch_all(&mut *reader)
                    .await
            }
        };
        decode(&mut reader, &rows.map_err(unavailable)?).await
    }

    async fn open_grants(
        &self,
        tenant: TenantId,
        grantees: &[Owner],
        at: Timestamp,
    ) -> Result<Vec<OpenGrant>, StoreError> {
        if grantees.is_empty() {
            return Ok(Vec::new());
        }
        let mut statement = QueryBuilder::<Db>::new("");
        for (index, grantee) in grantees.iter().enumerate() {
            statement.push(if index == 0 { "" } else { " UNION ALL " });
            statement.push(grant_columns!());
            statement.push("WHERE g.tenant_id = ").push_bind(tenant.0);
            statement.push(" AND g.grantee_kind = ").push_bind(grantee.kind.as_str());
            statement.push(" AND g.grantee_name = ").push_bind(grantee.id.as_str().to_owned());
            statement.push(" AND g.open_until_us > ").push_bind(at.as_micros());
        }
        let mut reader = self.readers.acquire().await.map_err(unavailable)?;
        let rows = statement.build().fetch_all(&mut *reader).await.map_err(unavailable)?;
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let partitions = partitions(&rows)?;
        let open = decode(&mut reader, &rows).await?.into_iter().filter_map(|grant| {
            let partition = partitions.get(&grant.id).copied()?;
            Some(OpenGrant { id: grant.id, partition, giver: grant.giver, selection: grant.selection })
        });
        let mut open: Vec<OpenGrant> = open.collect();
        open.sort_unstable_by_key(|grant| grant.id);
        Ok(open)
    }

    async fn record_grant_uses(&self, uses: &[GrantUse], keep_per_grant: u32) -> Result<(), StoreError> {
        let mut transaction = self.writer.begin_with(dialect::BEGIN_WRITE).await.map_err(unavailable)?;
        grant_events::record(&mut transaction, uses, keep_per_grant).await?;
        transaction.commit().await.map_err(unavailable)
    }

    async fn grant_events(
        &self,
        tenant: TenantId,
        id: GrantId,
        before: Option<GrantEventId>,
        limit: u32,
    ) -> Result<Option<Vec<GrantEvent>>, StoreError> {
        let mut reader = self.readers.acquire().await.map_err(unavailable)?;
        let partition: Option<i64> =
            sqlx::query_scalar("SELECT partition_id FROM grants WHERE id = $1 AND tenant_id = $2")
                .bind(id.0)
                .bind(tenant.0)
                .fetch_optional(&mut *reader)
                .await
                .map_err(unavailable)?;
        let Some(partition) = partition else { return Ok(None) };
        grant_events::read(&mut reader, (PartitionId(partition), id), before, limit).await.map(Some)
    }
}
