//! Touches: a few statements refresh the strength of many memories, without new versions.

use std::collections::BTreeMap;

use sqlx::QueryBuilder;
use uuid::Uuid;

use super::bulk::{push_ids, run_length};
use super::write_transaction::WriteTransaction;
use super::{Db, StoreError, unavailable};
use crate::domain::change::{ChangeSet, Touch};
use crate::domain::id::{MemoryId, PartitionId};
use crate::store::ChangeOp;

impl WriteTransaction<'_, '_> {
    /// Refreshes the strength of the memories that exist, and returns them. Each has an entry in the change log, with
    /// its current version.
    pub(super) async fn touch(
        &mut self,
        partition: PartitionId,
        set: &ChangeSet,
    ) -> Result<Vec<MemoryId>, StoreError> {
        if set.touches.is_empty() {
            return Ok(Vec::new());
        }
        self.flush().await?;
        // The last touch of a memory counts. The order is that of ids, so that the log does not depend on the database.
        let last: BTreeMap<MemoryId, &Touch> =
            set.touches.iter().map(|touch| (touch.memory, touch)).collect();
        let touches = Vec::from_iter(last.into_values());
        let mut touched = BTreeMap::new();
        let mut rest = touches.as_slice();
        while !rest.is_empty() {
            let (run, later) = rest.split_at(run_length(rest.len()));
            touched.extend(self.touch_run(partition, run).await?);
            rest = later;
        }
        for (id, version) in &touched {
            self.log_version(partition, ChangeOp::Put, (MemoryId(*id), *version), set.now);
        }
        Ok(touched.into_keys().map(MemoryId).collect())
    }

    async fn touch_run(
        &mut self,
        partition: PartitionId,
        run: &[&Touch],
    ) -> Result<impl Iterator<Item = (Uuid, u32)> + use<>, StoreError> {
        // Both databases name the columns of a `VALUES` list `column1` and so on.
        let mut statement = QueryBuilder::<Db>::new(
            "UPDATE memories SET strength = touch.column2, refreshed_us = touch.column3 FROM (",
        );
        statement.push_values(run, |mut values, touch| {
            values
                .push_bind(touch.memory.0)
                .push_bind(f64::from(touch.strength))
                .push_bind(touch.refreshed_at.as_micros());
        });
        statement.push(") AS touch WHERE partition_id = ").push_bind(partition.0);
        // The list of ids keeps SQLite from reading the whole partition.
        statement.push(" AND id = touch.column1 AND id IN (");
        push_ids(&mut statement, run.iter().map(|touch| touch.memory.0));
        statement.push(" RETURNING id, version");
        let rows: Vec<(Uuid, i64)> =
            statement.build_query_as().fetch_all(&mut *self.connection).await.map_err(unavailable)?;
        Ok(rows.into_iter().map(|(id, version)| (id, u32::try_from(version).unwrap_or(u32::MAX))))
    }
}
