//! Condition of the store as requests met it: `/ready` tells it. Damage stays until a restart; a full disk or missing
//! permission passes when a write succeeds again.

use std::sync::atomic::{AtomicU8, Ordering};

use memory_core::store::StoreError;

/// Fault of the whole store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoreFault {
    /// See [`StoreError::Full`].
    Full,
    /// See [`StoreError::ReadOnly`].
    ReadOnly,
    /// See [`StoreError::Damaged`].
    Damaged,
}

impl StoreFault {
    /// Fault that an error tells of; none for an error that is about one row or one moment.
    pub(crate) fn of(error: &StoreError) -> Option<Self> {
        match error {
            StoreError::Full(_) => Some(StoreFault::Full),
            StoreError::ReadOnly(_) => Some(StoreFault::ReadOnly),
            StoreError::Damaged(_) => Some(StoreFault::Damaged),
            _ => None,
        }
    }

    const fn number(self) -> u8 {
        match self {
            StoreFault::Full => 1,
            StoreFault::ReadOnly => 2,
            StoreFault::Damaged => 3,
        }
    }
}

/// Last fault that was met.
#[derive(Debug, Default)]
pub(crate) struct StoreCondition(AtomicU8);

impl StoreCondition {
    /// Notes a fault. Damage is never replaced by a lesser fault.
    pub(crate) fn note(&self, fault: StoreFault) {
        self.0.fetch_max(fault.number(), Ordering::Relaxed);
    }

    /// Notes that a write succeeded.
    pub(crate) fn note_written(&self) {
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |number| {
            (number != StoreFault::Damaged.number()).then_some(0)
        });
    }

    /// The fault, if there is one.
    pub(crate) fn fault(&self) -> Option<StoreFault> {
        let number = self.0.load(Ordering::Relaxed);
        [StoreFault::Full, StoreFault::ReadOnly, StoreFault::Damaged]
            .into_iter()
            .find(|fault| fault.number() == number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_passes_and_damage_stays() {
        let condition = StoreCondition::default();
        assert_eq!(condition.fault(), None);
        condition.note(StoreFault::Full);
        assert_eq!(condition.fault(), Some(StoreFault::Full));
        condition.note_written();
        assert_eq!(condition.fault(), None);
        condition.note(StoreFault::Damaged);
        condition.note(StoreFault::ReadOnly);
        condition.note_written();
        assert_eq!(condition.fault(), Some(StoreFault::Damaged));
    }
}
