//! Cache of the partitions of owners. An owner loses its partition when it is erased, and has another one afterwards: the
//! commit that erases drops the entry. A look that began before must not bring it back, so that entries of an earlier
//! generation are not kept. Where several processes write to the database, nothing is kept at all.

use std::collections::HashMap;

use super::dialect;
use crate::domain::id::{PartitionId, TenantId};
use crate::domain::scope::Owner;

/// Maximum number of owners in the cache; it is cleared when it is full.
const KNOWN_PARTITIONS: usize = 65_536;

/// The cache.
#[derive(Debug, Default)]
pub(super) struct KnownPartitions(parking_lot::Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    partitions: HashMap<(TenantId, Owner), PartitionId>,
    /// Number of times that entries were dropped.
    generation: u64,
}

impl KnownPartitions {
    /// Partition of an owner; otherwise the generation to pass to [`Self::insert`].
    pub(super) fn find(&self, key: &(TenantId, Owner)) -> Result<PartitionId, u64> {
        let known = self.0.lock();
        known.partitions.get(key).copied().ok_or(known.generation)
    }

    /// Keeps what was read after [`Self::find`].
    pub(super) fn insert(&self, key: (TenantId, Owner), partition: PartitionId, generation: u64) {
        let mut known = self.0.lock();
        if dialect::LOCKS_ROWS || known.generation != generation {
            return;
        }
        if known.partitions.len() >= KNOWN_PARTITIONS {
            known.partitions.clear();
        }
        known.partitions.insert(key, partition);
    }

    /// Drops the entry of an owner whose partition was taken away.
    pub(super) fn forget(&self, key: &(TenantId, Owner)) {
        let mut known = self.0.lock();
        known.generation += 1;
        known.partitions.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::name::Name;
    use crate::domain::scope::OwnerKind;

    #[test]
    fn a_look_from_before_an_erasure_is_not_kept() {
        let known = KnownPartitions::default();
        let owner = Owner { kind: OwnerKind::User, id: Name::new("ann").expect("a name") };
        let key = (TenantId::DEFAULT, owner);
        let before = known.find(&key).expect_err("nothing is known");
        known.forget(&key);
        known.insert(key.clone(), PartitionId(1), before);
        let now = known.find(&key).expect_err("the look is outdated");
        known.insert(key.clone(), PartitionId(2), now);
        let expected = if dialect::LOCKS_ROWS { Err(now) } else { Ok(PartitionId(2)) };
        assert_eq!(known.find(&key), expected);
    }
}
