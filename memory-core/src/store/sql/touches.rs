//! Touches and pins: a few statements change what the retention of many memories follows from, without new versions.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::QueryBuilder;
use uuid::Uuid;

use super::bulk::{IDS_PER_STATEMENT, push_ids, run_length};
use super::readable::readable;
use super::rows::Reader;
use super::write_transaction::WriteTransaction;
use super::{Db, StoreError, unavailable};
use crate::domain::change::{ChangeSet, Touch};
use crate::domain::id::{MemoryId, PartitionId};
use crate::domain::uses::Uses;
use crate::store::ChangeOp;

/// Memories that were changed, with their present versions, in the order of ids.
pub(super) type Changed = BTreeMap<MemoryId, u32>;

impl WriteTransaction<'_, '_> {
    /// True if nothing but touches was committed to the partition since the set was prepared. They change nothing that a
    /// version has, and with a use at every recall a set that takes long to prepare would never be written.
    pub(super) async fn is_up_to_date(
        &mut self,
        known: Option<PartitionId>,
        set: &ChangeSet,
    ) -> Result<bool, StoreError> {
        let Some(prepared_at) = set.prepared_at else { return Ok(true) };
        let last_seq = known.map_or(0, |partition| self.counters.of(partition).last_seq);
        let (Some(partition), Some(entries @ 1..)) = (known, last_seq.checked_sub(prepared_at)) else {
            return Ok(last_seq == prepared_at);
        };
        self.flush().await?;
        let touches: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM changes WHERE partition_id = $1 AND seq > $2 AND op = $3",
        )
        .bind(partition.0)
        .bind(prepared_at.cast_signed())
        .bind(ChangeOp::Touch.code())
        .fetch_one(&mut *self.connection)
        .await
        .map_err(unavailable)?;
        Ok(touches.unsigned_abs() == entries)
    }

    /// Changes the retention of memories, and returns those that changed. Each has one entry in the change log, with its
    /// present version.
    pub(super) async fn touch(
        &mut self,
        partition: PartitionId,
        set: &ChangeSet,
    ) -> Result<Vec<MemoryId>, StoreError> {
        if set.touches.is_empty()
            && set.feedback.is_empty()
            && set.pins.is_empty()
            && set.forgettings.is_empty()
            && set.rememberings.is_empty()
        {
            return Ok(Vec::new());
        }
        self.flush().await?;
        let mut touches = set.touches.clone();
        touches.extend(self.raise_outcomes(partition, &set.feedback).await?);
        let mut changed = self.record_uses(partition, &touches).await?;
        let pins: BTreeMap<MemoryId, bool> = set.pins.iter().map(|pin| (pin.memory, pin.pinned)).collect();
        for is_pinned in [true, false] {
            let ids: Vec<MemoryId> =
                pins.iter().filter(|(_, pinned)| **pinned == is_pinned).map(|(id, _)| *id).collect();
            changed.extend(self.pin(partition, &ids, is_pinned).await?);
        }
        changed.extend(self.forget(partition, &set.forgettings).await?);
        changed.extend(self.remember(partition, &set.rememberings).await?);
        for (id, version) in &changed {
            self.log_version(partition, ChangeOp::Touch, (*id, *version), set.now);
        }
        Ok(changed.into_keys().collect())
    }

    /// Records uses in the order of their times.
    async fn record_uses(
        &mut self,
        partition: PartitionId,
        touches: &[Touch],
    ) -> Result<Changed, StoreError> {
        let mut of_each: BTreeMap<MemoryId, Vec<&Touch>> = BTreeMap::new();
        for touch in touches {
            of_each.entry(touch.memory).or_default().push(touch);
        }
        of_each.values_mut().for_each(|touches| touches.sort_by_key(|touch| touch.one.at));
        let ids: Vec<MemoryId> = of_each.keys().copied().collect();
        let mut changed = Changed::new();
        for some in ids.chunks(IDS_PER_STATEMENT) {
            let mut to_write = Vec::new();
            for (id, version, mut uses) in self.uses_of(partition, some).await? {
                let mut is_changed = false;
                for touch in of_each.get(&id).into_iter().flatten() {
                    is_changed |= uses.record(touch.one, touch.refractory_us);
                }
                if is_changed {
                    to_write.push((id, uses.encode()));
                    changed.insert(id, version);
                }
            }
            self.write_uses(partition, &to_write).await?;
        }
        Ok(changed)
    }

    /// Memories among `ids` that are there, at most [`IDS_PER_STATEMENT`], with their present versions and uses.
    async fn uses_of(
        &mut self,
        partition: PartitionId,
        ids: &[MemoryId],
    ) -> Result<Vec<(MemoryId, u32, Uses)>, StoreError> {
        let mut statement =
            QueryBuilder::<Db>::new("SELECT id, version, uses FROM memories WHERE partition_id = ");
        statement.push_bind(partition.0).push(" AND id IN (");
        push_ids(&mut statement, ids.iter().map(|id| id.0));
        let rows = statement.build().fetch_all(&mut *self.connection).await.map_err(unavailable)?;
        // A memory whose uses cannot be decoded is skipped: the other touches of the set do not depend on it.
        readable(&rows, |row| {
            let at = Reader { row, table: "memories" };
            Ok((MemoryId(at.get(0, "id")?), at.number(1, "version")?, at.uses(2)?))
        })
    }

    async fn write_uses(
        &mut self,
        partition: PartitionId,
        uses: &[(MemoryId, Vec<u8>)],
    ) -> Result<(), StoreError> {
        let mut rest = uses;
        while !rest.is_empty() {
            let (run, later) = rest.split_at(run_length(rest.len()));
            // Both databases name the columns of a `VALUES` list `column1` and so on.
            let mut statement = QueryBuilder::<Db>::new("UPDATE memories SET uses = touch.column2 FROM (");
            statement.push_values(run, |mut values, (id, encoded)| {
                values.push_bind(id.0).push_bind(encoded.clone());
            });
            statement.push(") AS touch WHERE partition_id = ").push_bind(partition.0);
            // The list of ids keeps SQLite from reading the whole partition.
            statement.push(" AND id = touch.column1 AND id IN (");
            push_ids(&mut statement, run.iter().map(|(id, _)| id.0));
            statement.build().execute(&mut *self.connection).await.map_err(unavailable)?;
            rest = later;
        }
        Ok(())
    }

    /// Pins or releases memories; returns those that it changed.
    async fn pin(
        &mut self,
        partition: PartitionId,
        ids: &[MemoryId],
        is_pinned: bool,
    ) -> Result<Changed, StoreError> {
        let mut changed = Changed::new();
        for some in ids.chunks(IDS_PER_STATEMENT) {
            let mut statement = QueryBuilder::<Db>::new("UPDATE memories SET pinned = ");
            statement.push_bind(is_pinned).push(" WHERE partition_id = ").push_bind(partition.0);
            statement.push(" AND pinned <> ").push_bind(is_pinned).push(" AND id IN (");
            push_ids(&mut statement, some.iter().map(|id| id.0));
            statement.push(" RETURNING id, version");
            let rows: Vec<(Uuid, i64)> =
                statement.build_query_as().fetch_all(&mut *self.connection).await.map_err(unavailable)?;
            changed.extend(rows.into_iter().map(versioned));
        }
        Ok(changed)
    }

    /// Present versions of those of these memories that are there.
    pub(super) async fn versions_of(
        &mut self,
        partition: PartitionId,
        ids: &BTreeSet<MemoryId>,
    ) -> Result<Changed, StoreError> {
        let ids = Vec::from_iter(ids);
        let mut found = Changed::new();
        for some in ids.chunks(IDS_PER_STATEMENT) {
            let mut statement =
                QueryBuilder::<Db>::new("SELECT id, version FROM memories WHERE partition_id = ");
            statement.push_bind(partition.0).push(" AND id IN (");
            push_ids(&mut statement, some.iter().map(|id| id.0));
            let rows: Vec<(Uuid, i64)> =
                statement.build_query_as().fetch_all(&mut *self.connection).await.map_err(unavailable)?;
            found.extend(rows.into_iter().map(versioned));
        }
        Ok(found)
    }
}

fn versioned((id, version): (Uuid, i64)) -> (MemoryId, u32) {
    (MemoryId(id), u32::try_from(version).unwrap_or(u32::MAX))
}
