//! Limit of concurrent calls, with a bounded queue before it.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Semaphore, SemaphorePermit};

use super::LanguageModelError;

/// Places for concurrent calls. A dropped future leaves the queue.
#[derive(Debug)]
pub(super) struct Slots {
    running: Semaphore,
    waiting: AtomicUsize,
    waiting_at_most: usize,
}

impl Slots {
    /// Places for this many running calls, at least one, and this many waiting ones.
    pub(super) fn new(running_at_most: usize, waiting_at_most: usize) -> Self {
        let running = Semaphore::new(running_at_most.clamp(1, Semaphore::MAX_PERMITS));
        Self { running, waiting: AtomicUsize::new(0), waiting_at_most }
    }

    /// Waits for a place; a full queue is [`LanguageModelError::Busy`].
    pub(super) async fn acquire(&self) -> Result<SemaphorePermit<'_>, LanguageModelError> {
        if let Ok(permit) = self.running.try_acquire() {
            return Ok(permit);
        }
        let _waiting = Waiting::new(self)?;
        self.running.acquire().await.map_err(|_| LanguageModelError::Stopped)
    }
}

/// Place in the queue, left when dropped.
struct Waiting<'a>(&'a Slots);

impl<'a> Waiting<'a> {
    fn new(slots: &'a Slots) -> Result<Self, LanguageModelError> {
        let place = Self(slots);
        if slots.waiting.fetch_add(1, Ordering::AcqRel) >= slots.waiting_at_most {
            return Err(LanguageModelError::Busy { waiting_at_most: slots.waiting_at_most });
        }
        Ok(place)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn calls_wait_in_a_bounded_queue_that_dropped_ones_leave() {
        let slots = Slots::new(1, 1);
        let running = slots.acquire().await.unwrap();
        let mut waiting = Box::pin(slots.acquire());
        assert!(waiting.as_mut().now_or_never().is_none());
        let busy = slots.acquire().await;
        assert_eq!(busy.err(), Some(LanguageModelError::Busy { waiting_at_most: 1 }));
        drop(waiting);
        let waiting = slots.acquire();
        drop(running);
        assert!(waiting.await.is_ok());
        assert_eq!(slots.waiting.load(Ordering::Acquire), 0);
    }
}
