//! What digests cover, read from the store: the turns of a day that anybody may be told, and the digests of a level.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::Date;

use super::day::date_of;
use super::item::Item;
use crate::domain::derivation::{Derivation, Source};
use crate::domain::digest::Level;
use crate::domain::filter::{Field, Filter, Range, Scalar, Test};
use crate::domain::id::{MemoryId, PartitionId};
use crate::domain::memory::{Kind, Memory};
use crate::domain::turn::Role;
use crate::domain::zone::Zone;
use crate::engine::Engine;
use crate::error::Error;
use crate::store::IdPage;

/// Maximum number of turns of one day that its digests cover; of more, the latest that were recorded.
pub(super) const TURNS_PER_DAY: u32 = 2_048;
/// Maximum number of digests of one level that are read, the latest that were first made.
pub(super) const DIGESTS_PER_LEVEL: u32 = 4_096;
/// Memories whose vectors are read in one call.
const PER_READ: usize = 256;

impl Item {
    /// True for a turn of the user.
    pub(super) fn is_of_user(&self) -> bool {
        self.memory.origin.as_ref().is_some_and(|origin| origin.role == Role::User)
    }
}

impl Engine {
    /// Turns of users and assistants on a local day that anybody may be told, in the order of time.
    pub(super) async fn turns_of_day(
        &self,
        partition: PartitionId,
        date: Date,
        zone: &Zone,
    ) -> Result<Vec<Item>, Error> {
        let middle = Zone::UTC.beginning(date);
        let range = Range {
            gte: Some(Scalar::Time(middle.plus_days(-1))),
            lt: Some(Scalar::Time(middle.plus_days(2))),
            ..Range::default()
        };
        let is_turn = Test::Eq(Scalar::Text(Kind::Turn.as_str().to_owned()));
        let filter = Filter::And(vec![
            Filter::Field(Field::Kind, is_turn),
            Filter::Field(Field::HappenedAt, Test::Range(range)),
        ]);
        // Three days in UTC have all turns of one local day, in any zone.
        let page = IdPage { after: None, newest_first: true, limit: 3 * TURNS_PER_DAY };
        let ids = self.store.matching_ids(partition, &filter, page).await?.ids;
        let now = self.now();
        let is_covered = |memory: &Memory| {
            let role = memory.origin.as_ref().map(|origin| origin.role);
            matches!(role, Some(Role::User | Role::Assistant))
                && memory.audience.is_empty()
                && memory.expires_at.is_none_or(|expires| expires > now)
                && date_of(memory, zone) == date
        };
        let mut turns = self.store.memories(partition, &ids).await?;
        turns.retain(is_covered);
        turns.truncate(TURNS_PER_DAY as usize);
        turns.sort_by_key(|memory| (memory.happened.at, memory.id));
        let mut vectors = self.vectors_by_memory(partition, &turns).await?;
        let items = turns.into_iter().filter_map(|memory| {
            let origin = memory.origin.as_ref()?;
            let zone = zone.or_own(memory.happened.offset);
            let speaker = origin.author.as_ref().map_or(origin.role.as_str(), |author| author.as_str());
            Some(Item {
                source: Source::Turn(origin.turn),
                speaker: Some(speaker.to_owned()),
                shown_at: zone.for_readers(memory.happened.at),
                vector: vectors.remove(&memory.id),
                memory,
            })
        });
        Ok(items.collect())
    }

    /// Digests of a level that anybody may be told, in the order of time.
    pub(super) async fn digests_to_cover(
        &self,
        partition: PartitionId,
        level: Level,
        zone: &Zone,
    ) -> Result<Vec<Item>, Error> {
        let mut digests = self.digests_of(partition, level).await?;
        digests.retain(|memory| memory.audience.is_empty());
        let mut vectors = self.vectors_by_memory(partition, &digests).await?;
        let items = digests.into_iter().map(|memory| Item {
            source: Source::Memory(memory.id),
            speaker: None,
            shown_at: zone.or_own(memory.happened.offset).day_for_readers(memory.happened.at),
            vector: vectors.remove(&memory.id),
            memory,
        });
        Ok(items.collect())
    }

    /// Digests of a level that are in force, in the order of time.
    pub(super) async fn digests_of(
        &self,
        partition: PartitionId,
        level: Level,
    ) -> Result<Vec<Memory>, Error> {
        let keys: Vec<_> = level.group().into_iter().collect();
        let found = self.store.in_groups(partition, &keys, DIGESTS_PER_LEVEL).await?;
        let ids: Vec<MemoryId> = found.into_iter().map(|(_, id)| id).collect();
        let now = self.now();
        let mut digests = self.store.memories(partition, &ids).await?;
        digests.retain(|memory| {
            memory.valid.end.is_none_or(|end| end > now)
                && memory.expires_at.is_none_or(|expires| expires > now)
        });
        digests.sort_by_key(|memory| (memory.happened.at, memory.id));
        Ok(digests)
    }

    /// The memory that has the name of the digest of a level with this key, with its derivation. It may be the caller's own, of
    /// any kind.
    pub(super) async fn digest_of(
        &self,
        partition: PartitionId,
        level: Level,
        key: &str,
    ) -> Result<Option<(Memory, Option<Derivation>)>, Error> {
        let Some(name) = level.document(key) else { return Ok(None) };
        let Some(memory) = self.store.named(partition, &name).await? else { return Ok(None) };
        let derivation = self.store.evidence(partition, &[memory.id]).await?.into_iter().next();
        Ok(Some((memory, derivation.map(|(_, derivation)| derivation))))
    }

    async fn vectors_by_memory(
        &self,
        partition: PartitionId,
        memories: &[Memory],
    ) -> Result<BTreeMap<MemoryId, Arc<[f32]>>, Error> {
        let mut vectors = BTreeMap::new();
        for some in memories.chunks(PER_READ) {
            let ids: Vec<MemoryId> = some.iter().map(|memory| memory.id).collect();
            vectors.extend(self.vectors(partition, &ids).await?);
        }
        Ok(vectors)
    }
}
