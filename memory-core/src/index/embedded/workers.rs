//! The worker threads of a search and the division of its work among them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Threads that join a search, which begins on a thread of its own.
#[derive(Clone, Debug)]
pub(super) struct WorkerPool(Option<Arc<rayon::ThreadPool>>);

impl WorkerPool {
    /// A pool of so many threads; empty if they cannot be started.
    pub(super) fn start(count: usize) -> Self {
        // rayon reads 0 as one per processor.
        if count == 0 {
            return Self(None);
        }
        let started = rayon::ThreadPoolBuilder::new()
            .num_threads(count)
            .thread_name(|number| format!("engrain-search-{number}"))
            .build()
            .inspect_err(|error| tracing::warn!(%error, "searches use one thread each"));
        Self(started.ok().map(Arc::new))
    }
}

/// The threads of one search: its own and those that join.
#[derive(Debug)]
pub(super) struct Workers {
    count: usize,
    pool: WorkerPool,
}

impl Workers {
    /// The caller's thread alone.
    pub(super) fn own() -> Self {
        Self { count: 1, pool: WorkerPool(None) }
    }

    pub(super) fn new(count: usize, pool: WorkerPool) -> Self {
        Self { count, pool }
    }

    /// Runs `work` on up to `most` workers, this thread being one of them; returns the result of each. `work` takes pieces
    /// until none is left, so a worker that starts late finds nothing to do.
    pub(super) fn share<T: Send>(&self, most: usize, work: impl Fn() -> T + Sync) -> Vec<T> {
        let others = self.count.min(most).saturating_sub(1);
        let Some(pool) = self.pool.0.as_ref().filter(|_| others > 0) else { return vec![work()] };
        let mut done: Vec<Option<T>> = std::iter::repeat_with(|| None).take(others).collect();
        let own = pool.in_place_scope(|scope| {
            for place in &mut done {
                let work = &work;
                scope.spawn(move |_| *place = Some(work()));
            }
            work()
        });
        done.into_iter().flatten().chain([own]).collect()
    }

    /// Runs `work` on each piece, on all workers; returns the results in the order of the pieces.
    pub(super) fn each<'a, T: Sync, U: Send>(
        &self,
        pieces: &'a [T],
        work: impl Fn(&'a T) -> U + Sync,
    ) -> Vec<U> {
        let shares = Shares::of(pieces);
        in_order(self.share(pieces.len(), || shares.take_part(&work))).collect()
    }
}

/// Pieces of work, each taken by one worker.
#[derive(Debug)]
pub(super) struct Shares<'a, T> {
    all: &'a [T],
    taken: AtomicUsize,
}

impl<'a, T> Shares<'a, T> {
    pub(super) fn of(all: &'a [T]) -> Self {
        Self { all, taken: AtomicUsize::new(0) }
    }

    /// Runs `work` on pieces that no other worker has taken until none is left; returns the results with their positions.
    pub(super) fn take_part<U>(&self, work: impl Fn(&'a T) -> U) -> Vec<(usize, U)> {
        std::iter::from_fn(|| {
            let at = self.taken.fetch_add(1, Ordering::Relaxed);
            Some((at, work(self.all.get(at)?)))
        })
        .collect()
    }
}

/// The results of all workers, in the order of the pieces.
pub(super) fn in_order<U>(done: impl IntoIterator<Item = Vec<(usize, U)>>) -> impl Iterator<Item = U> {
    let mut done: Vec<(usize, U)> = done.into_iter().flatten().collect();
    done.sort_unstable_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, done)| done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_piece_of_shared_work_is_done_once() {
        for (workers, most, expected) in [(4, 9, 4), (4, 2, 2), (1, 9, 1), (4, 0, 1)] {
            let left = AtomicUsize::new(1_000);
            let take = || left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
            let workers = Workers::new(workers, WorkerPool::start(3));
            let done = workers.share(most, || std::iter::from_fn(|| take().ok()).count());
            assert_eq!((done.len(), done.iter().sum::<usize>()), (expected, 1_000));
        }
        assert_eq!(Workers::own().share(5, || 7), [7]);
    }

    #[test]
    fn results_come_in_the_order_of_the_pieces() {
        let pieces: Vec<u32> = (0..100).collect();
        let doubled: Vec<u32> = pieces.iter().map(|piece| piece * 2).collect();
        assert_eq!(Workers::new(3, WorkerPool::start(2)).each(&pieces, |piece| piece * 2), doubled);
    }
}
