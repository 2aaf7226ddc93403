//! The scan queue: queries to large partitions, answered in batches. A batch has all free threads, unless other queries
//! wait too, and takes all pending queries to its partition, since one scan for several queries reads memory once. A query
//! alone has the whole machine, and no query waits for a batch to fill.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::partition_cache::CachedPartition;
use super::workers::{WorkerPool, Workers};
use crate::index::{Answer, IndexError, IndexQuery};

/// Queries of a batch at most: more would make the first wait for the last.
const MAX_QUERIES_PER_BATCH: usize = 8;
/// Threads of a batch at most: a search is bound by memory bandwidth before it can use more.
const MAX_WORKERS_PER_BATCH: usize = 4;

type Outcome = Result<Answer, IndexError>;

/// Pending queries and free threads.
#[derive(Debug)]
pub(super) struct ScanQueue {
    state: Mutex<QueueState>,
    pool: WorkerPool,
}

#[derive(Debug)]
struct QueueState {
    /// In the order of arrival.
    pending: VecDeque<PendingQuery>,
    free_threads: usize,
}

#[derive(Debug)]
struct PendingQuery {
    cached: Arc<CachedPartition>,
    query: IndexQuery,
    answer: oneshot::Sender<Outcome>,
}

impl ScanQueue {
    /// A queue over so many threads.
    pub(super) fn new(threads: usize) -> Self {
        let free_threads = threads.max(1);
        let state = Mutex::new(QueueState { pending: VecDeque::new(), free_threads });
        Self { state, pool: WorkerPool::start(free_threads - 1) }
    }

    /// Queues a query and waits for its answer.
    pub(super) async fn search(self: &Arc<Self>, cached: Arc<CachedPartition>, query: IndexQuery) -> Outcome {
        let receiver = self.queue(cached, query);
        self.clone().start_worker();
        receiver.await.unwrap_or(Err(IndexError::Abandoned))
    }

    fn queue(&self, cached: Arc<CachedPartition>, query: IndexQuery) -> oneshot::Receiver<Outcome> {
        let (answer, receiver) = oneshot::channel();
        self.state.lock().pending.push_back(PendingQuery { cached, query, answer });
        receiver
    }

    /// Starts a worker that answers batches until none is left, if a thread is free and a query is pending.
    fn start_worker(self: Arc<Self>) {
        if self.state.lock().has_batch() {
            tokio::task::spawn_blocking(move || {
                while let Some(batch) = self.next_batch() {
                    // Queries to another partition may be pending while threads are free.
                    self.clone().start_worker();
                    batch.answer();
                }
            });
        }
    }

    fn next_batch(self: &Arc<Self>) -> Option<Batch> {
        let mut state = self.state.lock();
        let queries = state.next_queries()?;
        let workers = state.workers();
        state.free_threads -= workers;
        Some(Batch { queries, workers, queue: self.clone() })
    }
}

impl QueueState {
    fn has_batch(&self) -> bool {
        self.free_threads > 0 && !self.pending.is_empty()
    }

    /// Takes the first pending query and those that can share its scan. Queries of callers that have gone away are dropped.
    fn next_queries(&mut self) -> Option<Vec<PendingQuery>> {
        if self.free_threads == 0 {
            return None;
        }
        self.pending.retain(|pending| !pending.answer.is_closed());
        let mut batch = vec![self.pending.pop_front()?];
        let mut at = 0;
        while let Some(pending) = self.pending.get(at).filter(|_| batch.len() < MAX_QUERIES_PER_BATCH) {
            if can_share_a_scan(&batch[0], pending) {
                batch.extend(self.pending.remove(at));
            } else {
                at += 1;
            }
        }
        Some(batch)
    }

    /// Number of free threads that the next batch gets.
    fn workers(&self) -> usize {
        let free = self.free_threads.min(MAX_WORKERS_PER_BATCH);
        if self.pending.is_empty() { free } else { free.min(1) }
    }
}

/// True if one scan can answer both queries. A scan evaluates retention at one time, which matters only where retention has
/// a weight.
fn can_share_a_scan(one: &PendingQuery, other: &PendingQuery) -> bool {
    let is_timeless = |pending: &PendingQuery| pending.query.weights.retention == 0.0;
    Arc::ptr_eq(&one.cached, &other.cached)
        && (one.query.view.now == other.query.view.now || is_timeless(one) && is_timeless(other))
}

/// Queries that one scan answers, with threads that are freed when it is dropped.
#[derive(Debug)]
struct Batch {
    queries: Vec<PendingQuery>,
    workers: usize,
    queue: Arc<ScanQueue>,
}

impl Batch {
    fn answer(mut self) {
        let Some(cached) = self.queries.first().map(|pending| pending.cached.clone()) else { return };
        let (batch_queries, answers): (Vec<_>, Vec<_>) =
            self.queries.drain(..).map(|pending| (pending.query, pending.answer)).unzip();
        let state = cached.state.read();
        // The partition was dropped: the callers get `Abandoned`, since their senders are dropped.
        let Some(partition) = state.as_ref() else { return };
        let outcomes = partition.search(&batch_queries, &Workers::new(self.workers, self.queue.pool.clone()));
        for (answer, outcome) in answers.into_iter().zip(outcomes) {
            // The caller may have gone away.
            let _ = answer.send(outcome);
        }
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.queue.state.lock().free_threads += self.workers;
        if std::thread::panicking() {
            // This worker takes no further batch.
            self.queue.clone().start_worker();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;
    use crate::index::{ScanWeights, View};

    fn query(now_us: i64, retention: f32) -> IndexQuery {
        let view = View::present(Timestamp::from_micros(now_us));
        let weights = ScanWeights { retention, ..ScanWeights::SIMILARITY };
        IndexQuery { vector: None, text: "?".into(), view, weights, candidates: 8 }
    }

    fn times(batch: &Batch) -> Vec<i64> {
        batch.queries.iter().map(|pending| pending.query.view.now.as_micros()).collect()
    }

    #[test]
    fn pending_queries_that_can_share_a_scan_are_one_batch() {
        let queue = Arc::new(ScanQueue::new(4));
        let (one, other) = (Arc::<CachedPartition>::default(), Arc::<CachedPartition>::default());
        let receivers = [(&one, 1, 0.0), (&other, 2, 0.0), (&one, 3, 0.5), (&one, 4, 0.0), (&one, 3, 0.5)]
            .map(|(cached, now_us, retention)| queue.queue(cached.clone(), query(now_us, retention)));
        let batches: Vec<Batch> = std::iter::from_fn(|| queue.next_batch()).collect();
        assert_eq!(batches.iter().map(times).collect::<Vec<_>>(), [vec![1, 4], vec![2], vec![3, 3]]);
        assert_eq!(batches.iter().map(|batch| batch.workers).collect::<Vec<_>>(), [1, 1, 2]);
        drop(batches);
        assert_eq!(queue.state.lock().free_threads, 4);
        assert!(
            receivers.into_iter().all(|mut receiver| receiver.try_recv().is_err()),
            "a caller still waits"
        );
    }

    #[test]
    fn a_batch_is_bounded_and_leaves_out_callers_that_have_gone_away() {
        let queue = Arc::new(ScanQueue::new(1));
        let cached = Arc::<CachedPartition>::default();
        drop(queue.queue(cached.clone(), query(5, 0.0)));
        let many: Vec<_> = (0..12).map(|_| queue.queue(cached.clone(), query(5, 0.0))).collect();
        let first = queue.next_batch().unwrap();
        assert!(queue.next_batch().is_none(), "no thread is free");
        assert_eq!((times(&first).len(), first.workers), (MAX_QUERIES_PER_BATCH, 1));
        drop(first);
        let rest = queue.next_batch().unwrap();
        assert_eq!(times(&rest).len(), many.len() - MAX_QUERIES_PER_BATCH);
    }

    #[tokio::test]
    async fn a_query_to_a_dropped_partition_is_abandoned() {
        let queue = Arc::new(ScanQueue::new(2));
        let outcome = queue.search(Arc::default(), query(5, 0.0)).await;
        assert!(matches!(outcome, Err(IndexError::Abandoned)));
    }
}
