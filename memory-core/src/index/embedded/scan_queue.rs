//! Questions to large partitions, and whose turn it is. A turn has all threads that are free, unless others wait for
//! them too; and it answers all questions to its partition that wait by then, since a scan for several reads memory
//! once. So a question alone has the whole machine, and nobody waits for others to come.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::partition_cache::CachedPartition;
use super::workers::{WorkerPool, Workers};
use crate::index::{Answer, IndexError, IndexQuery};

/// Questions that one turn answers at most: more would make the first wait for the last.
const MAX_QUERIES_PER_BATCH: usize = 8;
/// Threads of one turn at most: a search is bound by memory before it has use for more.
const MAX_WORKERS_PER_BATCH: usize = 4;

type Outcome = Result<Answer, IndexError>;

/// Those that wait, and the threads that are free.
#[derive(Debug)]
pub(super) struct ScanQueue {
    waiting: Mutex<QueueState>,
    pool: WorkerPool,
}

#[derive(Debug)]
struct QueueState {
    /// The first first.
    queries: VecDeque<PendingQuery>,
    free_threads: usize,
}

#[derive(Debug)]
struct PendingQuery {
    cached: Arc<CachedPartition>,
    query: IndexQuery,
    answer: oneshot::Sender<Outcome>,
}

impl ScanQueue {
    /// For so many threads that compute at the same time.
    pub(super) fn new(threads: usize) -> Self {
        let free_threads = threads.max(1);
        let waiting = Mutex::new(QueueState { queries: VecDeque::new(), free_threads });
        Self { waiting, pool: WorkerPool::start(free_threads - 1) }
    }

    /// The answer to a question, when its turn has come.
    pub(super) async fn search(self: &Arc<Self>, cached: Arc<CachedPartition>, query: IndexQuery) -> Outcome {
        let wait = self.queue(cached, query);
        self.clone().begin();
        wait.await.unwrap_or(Err(IndexError::Abandoned))
    }

    fn queue(&self, cached: Arc<CachedPartition>, query: IndexQuery) -> oneshot::Receiver<Outcome> {
        let (answer, wait) = oneshot::channel();
        self.waiting.lock().queries.push_back(PendingQuery { cached, query, answer });
        wait
    }

    /// Sees to it that a thread is at work if one is free and somebody waits.
    fn begin(self: Arc<Self>) {
        if self.waiting.lock().has_batch() {
            tokio::task::spawn_blocking(move || {
                while let Some(batch) = self.next_batch() {
                    // Others may wait for another partition, with threads to spare.
                    self.clone().begin();
                    batch.work();
                }
            });
        }
    }

    fn next_batch(self: &Arc<Self>) -> Option<Batch> {
        let mut waiting = self.waiting.lock();
        let queries = waiting.next_queries()?;
        let workers = waiting.workers();
        waiting.free_threads -= workers;
        Some(Batch { queries, workers, of: self.clone() })
    }
}

impl QueueState {
    fn has_batch(&self) -> bool {
        self.free_threads > 0 && !self.queries.is_empty()
    }

    /// Takes the first that waits, and those that can be answered with it. Those that have gone away are passed over.
    fn next_queries(&mut self) -> Option<Vec<PendingQuery>> {
        if self.free_threads == 0 {
            return None;
        }
        self.queries.retain(|pending| !pending.answer.is_closed());
        let mut together = vec![self.queries.pop_front()?];
        let mut at = 0;
        while let Some(pending) = self.queries.get(at).filter(|_| together.len() < MAX_QUERIES_PER_BATCH) {
            if share_a_scan(&together[0], pending) {
                together.extend(self.queries.remove(at));
            } else {
                at += 1;
            }
        }
        Some(together)
    }

    /// How many of the free threads a turn is given.
    fn workers(&self) -> usize {
        let free = self.free_threads.min(MAX_WORKERS_PER_BATCH);
        if self.queries.is_empty() { free } else { free.min(1) }
    }
}

/// Whether one scan can answer both. It has one moment at which it evaluates retention; where retention does not weigh,
/// any will do.
fn share_a_scan(one: &PendingQuery, other: &PendingQuery) -> bool {
    let is_timeless = |pending: &PendingQuery| pending.query.weights.retention == 0.0;
    Arc::ptr_eq(&one.cached, &other.cached)
        && (one.query.view.now == other.query.view.now || is_timeless(one) && is_timeless(other))
}

/// Questions that are answered together, and threads for them, which are free again when it is over.
#[derive(Debug)]
struct Batch {
    queries: Vec<PendingQuery>,
    workers: usize,
    of: Arc<ScanQueue>,
}

impl Batch {
    fn work(mut self) {
        let Some(cached) = self.queries.first().map(|pending| pending.cached.clone()) else { return };
        let (batch_queries, answers): (Vec<_>, Vec<_>) =
            self.queries.drain(..).map(|pending| (pending.query, pending.answer)).unzip();
        let state = cached.state.read();
        // A partition that is not there any more: whoever asked is told that the search was abandoned.
        let Some(partition) = state.as_ref() else { return };
        let outcomes = partition.search(&batch_queries, &Workers::new(self.workers, self.of.pool.clone()));
        for (answer, outcome) in answers.into_iter().zip(outcomes) {
            // Whoever asked may have gone away.
            let _ = answer.send(outcome);
        }
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.of.waiting.lock().free_threads += self.workers;
        if std::thread::panicking() {
            // This thread takes no further turn.
            self.of.clone().begin();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::filter::Filter;
    use crate::domain::time::Timestamp;
    use crate::index::{ScanWeights, View};

    fn query(now_us: i64, retention: f32) -> IndexQuery {
        let view =
            View { filter: Filter::everything(), shared_only: false, now: Timestamp::from_micros(now_us) };
        let weights = ScanWeights { retention, ..ScanWeights::SIMILARITY };
        IndexQuery { vector: None, text: "?".into(), view, weights, candidates: 8 }
    }

    fn moments(batch: &Batch) -> Vec<i64> {
        batch.queries.iter().map(|pending| pending.query.view.now.as_micros()).collect()
    }

    #[test]
    fn those_that_share_a_scan_have_one_turn() {
        let queries = Arc::new(ScanQueue::new(4));
        let (one, other) = (Arc::<CachedPartition>::default(), Arc::<CachedPartition>::default());
        let waits = [(&one, 1, 0.0), (&other, 2, 0.0), (&one, 3, 0.5), (&one, 4, 0.0), (&one, 3, 0.5)]
            .map(|(cached, now_us, retention)| queries.queue(cached.clone(), query(now_us, retention)));
        let batches: Vec<Batch> = std::iter::from_fn(|| queries.next_batch()).collect();
        assert_eq!(batches.iter().map(moments).collect::<Vec<_>>(), [vec![1, 4], vec![2], vec![3, 3]]);
        assert_eq!(batches.iter().map(|batch| batch.workers).collect::<Vec<_>>(), [1, 1, 2]);
        drop(batches);
        assert_eq!(queries.waiting.lock().free_threads, 4);
        assert!(waits.into_iter().all(|mut wait| wait.try_recv().is_err()), "given up, not forgotten");
    }

    #[test]
    fn a_turn_is_bounded_and_who_has_gone_away_is_passed_over() {
        let queries = Arc::new(ScanQueue::new(1));
        let cached = Arc::<CachedPartition>::default();
        drop(queries.queue(cached.clone(), query(5, 0.0)));
        let many: Vec<_> = (0..12).map(|_| queries.queue(cached.clone(), query(5, 0.0))).collect();
        let first = queries.next_batch().unwrap();
        assert!(queries.next_batch().is_none(), "there is no thread");
        assert_eq!((moments(&first).len(), first.workers), (MAX_QUERIES_PER_BATCH, 1));
        drop(first);
        let rest = queries.next_batch().unwrap();
        assert_eq!(moments(&rest).len(), many.len() - MAX_QUERIES_PER_BATCH);
    }

    #[tokio::test]
    async fn a_partition_that_is_gone_is_told() {
        let queries = Arc::new(ScanQueue::new(2));
        let outcome = queries.search(Arc::default(), query(5, 0.0)).await;
        assert!(matches!(outcome, Err(IndexError::Abandoned)));
    }
}
