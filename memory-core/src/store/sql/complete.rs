//! Completion of restorations that an earlier set has written: links and inputs whose targets have arrived since. So an
//! archive is read twice, and its references may lead forwards.

use std::collections::HashMap;

use uuid::Uuid;

use super::insert_buffer::write_inputs;
use super::links::{EARLIER_LISTS, PRESENT_LIST, PUT_EARLIER_LIST, PUT_PRESENT_LIST};
use super::restored_ids::RestoredIds;
use super::write_transaction::WriteTransaction;
use super::{StoreError, unavailable};
use crate::domain::change::ChangeSet;
use crate::domain::derivation::{Input, Source};
use crate::domain::id::{DerivationId, MemoryId, PartitionId, TurnId};
use crate::domain::item_outcome::ItemOutcome;
use crate::domain::memory::Memory;
use crate::domain::restoration::{Restoration, Restored};
use crate::store::ChangeOp;

/// Stored version: its time of recording, and its derivation.
type Stored = HashMap<u32, (i64, Option<Uuid>)>;

impl WriteTransaction<'_, '_> {
    /// Adds to a restored memory what was missing when it was written. A version that was made since, or that is another
    /// one here, stays as it is.
    pub(super) async fn complete(
        &mut self,
        partition: PartitionId,
        set: &ChangeSet,
        (id, one): (MemoryId, &Restoration),
        ids: &RestoredIds<'_>,
    ) -> Result<Restored, StoreError> {
        let (present, stored) = self.stored_versions(partition, id).await?;
        let same = |version: &&Memory| {
            stored.get(&version.version).is_some_and(|(at, _)| *at == version.recorded_at.as_micros())
        };
        let is_known = same(&&one.present.memory);
        let (mut missing, mut is_changed) = (0_u32, false);
        let mut lists: HashMap<u32, Vec<crate::domain::link::Link>> = HashMap::new();
        for version in one.versions().filter(same).filter(|version| !version.links.is_empty()) {
            let (links, lost) = ids.links(id, &version.links);
            missing = missing.saturating_add(lost);
            lists.insert(version.version, links);
        }
        if !lists.is_empty() {
            is_changed |= self.complete_links(partition, (id, present), &lists).await?;
        }
        for derivation in &one.derivations {
            let made = one.versions().filter(same).filter(|it| it.derivation == Some(derivation.id));
            let there = made.filter_map(|version| stored.get(&version.version)?.1).map(DerivationId);
            let old = one.present.memory.id;
            let Some(there) = there.into_iter().find(|it| ids.is_derivation(old, derivation.id, *it)) else {
                continue;
            };
            let (inputs, lost) = ids.inputs(derivation);
            missing = missing.saturating_add(lost);
            is_changed |= self.complete_inputs(partition, there, &inputs).await?;
        }
        if is_changed {
            self.log_version(partition, ChangeOp::Put, (id, present), set.now);
        }
        let outcome = if is_known { ItemOutcome::Existing } else { ItemOutcome::Conflicting };
        let turn = self.turn_of(partition, id).await?;
        Ok(Restored { outcome, memory: Some(id), turn, missing, is_changed })
    }

    async fn turn_of(&mut self, partition: PartitionId, id: MemoryId) -> Result<Option<TurnId>, StoreError> {
        let turn: Option<Option<Uuid>> =
            sqlx::query_scalar("SELECT turn_id FROM memories WHERE partition_id = $1 AND id = $2")
                .bind(partition.0)
                .bind(id.0)
                .fetch_optional(&mut *self.connection)
                .await
                .map_err(unavailable)?;
        Ok(turn.flatten().map(TurnId))
    }

    /// Number of the present version, and all versions.
    async fn stored_versions(
        &mut self,
        partition: PartitionId,
        id: MemoryId,
    ) -> Result<(u32, Stored), StoreError> {
        let rows: Vec<(i64, i64, Option<Uuid>)> = sqlx::query_as(
            "SELECT version, recorded_us, derivation_id FROM memories WHERE partition_id = $1 AND id = $2
             UNION ALL
             SELECT version, recorded_us, derivation_id FROM memory_versions
             WHERE partition_id = $1 AND id = $2",
        )
        .bind(partition.0)
        .bind(id.0)
        .fetch_all(&mut *self.connection)
        .await
        .map_err(unavailable)?;
        let stored: Stored = rows
            .into_iter()
            .map(|(version, at, made)| (u32::try_from(version).unwrap_or(u32::MAX), (at, made)))
            .collect();
        Ok((stored.keys().copied().max().unwrap_or(0), stored))
    }

    /// Adds links to the lists of versions. Links that the lists have besides stay. True if one was added.
    async fn complete_links(
        &mut self,
        partition: PartitionId,
        (id, _): (MemoryId, u32),
        lists: &HashMap<u32, Vec<crate::domain::link::Link>>,
    ) -> Result<bool, StoreError> {
        let mut is_changed = false;
        // Statements that read earlier lists leave out empty ones.
        let earlier: HashMap<i64, _> = self.lists(EARLIER_LISTS, partition, id).await?.into_iter().collect();
        let present: HashMap<i64, _> = self.lists(PRESENT_LIST, partition, id).await?.into_iter().collect();
        for (version, wanted) in lists {
            let number = i64::from(*version);
            let (write, stored) = match present.get(&number) {
                Some(stored) => (PUT_PRESENT_LIST, stored.as_slice()),
                None => (PUT_EARLIER_LIST, earlier.get(&number).map_or(&[][..], Vec::as_slice)),
            };
            let has = |list: &[crate::domain::link::Link], link: &crate::domain::link::Link| {
                list.iter().any(|other| other.to == link.to && other.relation == link.relation)
            };
            if wanted.iter().all(|link| has(stored, link)) {
                continue;
            }
            let rest = stored.iter().filter(|link| !has(wanted, link));
            let links: Vec<_> = wanted.iter().chain(rest).cloned().collect();
            self.put_list(write, (partition, id, number), &links).await?;
            self.inserts.targets(partition, id, &links);
            is_changed = true;
        }
        Ok(is_changed)
    }

    /// Adds inputs to a derivation. True if one was added.
    async fn complete_inputs(
        &mut self,
        partition: PartitionId,
        derivation: DerivationId,
        inputs: &[Input],
    ) -> Result<bool, StoreError> {
        let there: Vec<Uuid> =
            sqlx::query_scalar("SELECT source_id FROM derivation_inputs WHERE derivation_id = $1")
                .bind(derivation.0)
                .fetch_all(&mut *self.connection)
                .await
                .map_err(unavailable)?;
        let id = |input: &Input| match input.source {
            Source::Turn(id) => id.0,
            Source::Memory(id) => id.0,
        };
        let new: Vec<(PartitionId, DerivationId, &Input)> = inputs
            .iter()
            .filter(|input| !there.contains(&id(input)))
            .map(|input| (partition, derivation, input))
            .collect();
        write_inputs(&mut *self.connection, &new).await?;
        Ok(!new.is_empty())
    }
}
