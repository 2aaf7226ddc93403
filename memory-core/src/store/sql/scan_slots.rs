//! Slots of scans: bound on the reads of whole partitions through filters that are at work at the same time.
//!
//! A scan takes seconds of CPU in the worst case, and reads hundreds of times. Without a bound of their own, scans of one
//! owner would take all connections for reading, and all blocking threads, from the recalls of the others.

use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

use super::StoreError;

/// Time for which a scan waits for a slot.
const WAIT: Duration = Duration::from_secs(2);

/// Slots of concurrent scans: half of the connections for reading, at least one.
#[derive(Debug)]
pub(super) struct ScanSlots {
    slots: Semaphore,
    wait: Duration,
}

impl ScanSlots {
    pub(super) fn for_connections(connections: u32) -> Self {
        Self { slots: Semaphore::new((connections / 2).max(1) as usize), wait: WAIT }
    }

    /// A slot, until it is dropped.
    ///
    /// # Errors
    /// [`StoreError::Busy`] if none becomes free within [`WAIT`].
    pub(super) async fn take(&self) -> Result<SemaphorePermit<'_>, StoreError> {
        match tokio::time::timeout(self.wait, self.slots.acquire()).await {
            Ok(Ok(slot)) => Ok(slot),
            Ok(Err(_)) | Err(_) => Err(StoreError::Busy),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn scans_take_half_of_the_connections_and_the_next_one_is_refused_soon() {
        for (connections, slots) in [(1, 1), (2, 1), (4, 2), (64, 32)] {
            let wait = Duration::from_millis(5);
            let scans = ScanSlots { wait, ..ScanSlots::for_connections(connections) };
            let mut held = Vec::new();
            for _ in 0..slots {
                held.push(scans.take().await.expect("a slot"));
            }
            assert!(matches!(scans.take().await, Err(StoreError::Busy)), "{connections} connections");
            held.pop();
            assert!(scans.take().await.is_ok(), "a slot that was given back");
        }
    }
}
