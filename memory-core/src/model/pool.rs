//! Worker pool: threads that each own a model session and take jobs from one bounded queue.
//!
//! A session runs one job at a time, for tens of milliseconds. That work must leave the async threads, and load beyond
//! the machine's capacity must wait outside the queue. Invariants: the queue never exceeds its bound; a job whose
//! caller has gone is not run; a panic in a session ends the job with an error and the session, not the thread.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio::sync::{Semaphore, oneshot};

use super::ModelError;

/// Options of a pool.
#[derive(Debug, Clone)]
pub(crate) struct PoolOptions {
    /// Name of the pool, for threads and messages.
    pub(crate) name: String,
    /// Number of threads, each with its own session.
    pub(crate) workers: usize,
    /// Maximum number of jobs in the queue.
    pub(crate) waiting: usize,
    /// Duration after which an unused session is dropped, to be loaded again when needed; `None` keeps it.
    pub(crate) idle_release: Option<Duration>,
    /// True to load the sessions at start, false to load each with its first job.
    pub(crate) load_at_once: bool,
}

/// Pool whose jobs map an `I` to an `O`.
pub(crate) struct WorkerPool<I, O> {
    queue: Arc<Queue<Job<I, O>>>,
    threads: Vec<JoinHandle<()>>,
    options: PoolOptions,
}

impl<I: Send + 'static, O: Send + 'static> WorkerPool<I, O> {
    /// Starts the threads. Each loads a session with `load`, at once or with its first job; `ready` is a loaded session
    /// for the first thread.
    pub(crate) fn start<S: Send + 'static>(
        options: PoolOptions,
        ready: Option<S>,
        load: impl Fn() -> Result<S, ModelError> + Send + Sync + 'static,
        run: impl Fn(&mut S, I) -> Result<O, ModelError> + Send + Sync + 'static,
    ) -> Result<Self, ModelError> {
        let queue = Arc::new(Queue::new(options.waiting));
        let work = Arc::new(Work { model: options.name.clone(), load, run });
        let mut pool = Self { queue, threads: Vec::new(), options };
        let mut ready = ready;
        for number in 0..pool.options.workers.max(1) {
            let worker = Worker {
                queue: Arc::clone(&pool.queue),
                work: Arc::clone(&work),
                idle_release: pool.options.idle_release,
                load_at_once: pool.options.load_at_once,
                session: ready.take(),
            };
            let thread = std::thread::Builder::new()
                .name(format!("{}-{number}", pool.options.name))
                .spawn(move || worker.serve())
                .map_err(|error| ModelError::Unusable {
                    model: pool.options.name.clone(),
                    reason: format!("no thread for it: {error}"),
                })?;
            pool.threads.push(thread);
        }
        Ok(pool)
    }

    /// Runs a job, waiting for a slot in the queue and for the result. Dropping the future cancels the job.
    pub(crate) async fn run(&self, input: I) -> Result<O, ModelError> {
        let place = self.queue.places.acquire().await.map_err(|_| ModelError::Stopped)?;
        place.forget(); // given back when a worker takes the job
        self.queued(input).await
    }

    /// As [`run`](Self::run), but refuses when the queue is full.
    pub(crate) async fn run_now(&self, input: I) -> Result<O, ModelError> {
        let busy = || ModelError::Busy { what: "queries", limit: self.options.waiting };
        self.queue.places.try_acquire().map_err(|_| busy())?.forget();
        self.queued(input).await
    }

    /// Number of threads.
    pub(crate) fn workers(&self) -> usize {
        self.threads.len()
    }

    async fn queued(&self, input: I) -> Result<O, ModelError> {
        let (reply, answer) = oneshot::channel();
        self.queue.push(Job { input, reply });
        answer.await.unwrap_or(Err(ModelError::Stopped))
    }
}

impl<I, O> Drop for WorkerPool<I, O> {
    /// Waits for running jobs, so that no session is in use when the runtime is unloaded at exit.
    fn drop(&mut self) {
        self.queue.close();
        for thread in self.threads.drain(..) {
            // A worker that panicked outside a job has no result to report.
            let _ = thread.join();
        }
    }
}

struct Job<I, O> {
    input: I,
    reply: oneshot::Sender<Result<O, ModelError>>,
}

struct Work<L, R> {
    model: String,
    load: L,
    run: R,
}

struct Worker<S, I, O, L, R> {
    queue: Arc<Queue<Job<I, O>>>,
    work: Arc<Work<L, R>>,
    idle_release: Option<Duration>,
    load_at_once: bool,
    session: Option<S>,
}

impl<S, I, O, L, R> Worker<S, I, O, L, R>
where
    L: Fn() -> Result<S, ModelError>,
    R: Fn(&mut S, I) -> Result<O, ModelError>,
{
    fn serve(mut self) {
        if self.load_at_once && self.session.is_none() {
            // An error here recurs with the first job, which has a caller to report to.
            self.session = catch_unwind(AssertUnwindSafe(|| (self.work.load)().ok())).ok().flatten();
        }
        loop {
            match self.queue.pop(self.idle_release.filter(|_| self.session.is_some())) {
                Popped::Job(job) if job.reply.is_closed() => {}
                Popped::Job(job) => {
                    let answer = self.answer(job.input);
                    // The caller may have gone in the meantime.
                    let _ = job.reply.send(answer);
                }
                Popped::Idle => self.session = None,
                Popped::Closed => return,
            }
        }
    }

    fn answer(&mut self, input: I) -> Result<O, ModelError> {
        // Taken out for the run, so that a session that panicked is not used again.
        let session = self.session.take();
        let work = &self.work;
        let done = catch_unwind(AssertUnwindSafe(|| {
            let mut session = match session {
                Some(session) => session,
                None => (work.load)()?,
            };
            let output = (work.run)(&mut session, input);
            Ok((session, output))
        }));
        match done {
            Ok(Ok((session, output))) => {
                self.session = Some(session);
                output
            }
            Ok(Err(error)) => Err(error),
            Err(_) => {
                let reason = "it panicked; its session was dropped".to_owned();
                Err(ModelError::Inference { model: work.model.clone(), reason })
            }
        }
    }
}

enum Popped<J> {
    Job(J),
    Idle,
    Closed,
}

struct Queue<J> {
    state: Mutex<QueueState<J>>,
    changed: Condvar,
    places: Semaphore,
}

struct QueueState<J> {
    jobs: VecDeque<J>,
    closed: bool,
}

impl<J> Queue<J> {
    fn new(places: usize) -> Self {
        Self {
            state: Mutex::new(QueueState { jobs: VecDeque::new(), closed: false }),
            changed: Condvar::new(),
            places: Semaphore::new(places.clamp(1, Semaphore::MAX_PERMITS)),
        }
    }

    /// Enqueues a job for which a slot was reserved.
    fn push(&self, job: J) {
        let mut state = self.state.lock();
        if !state.closed {
            state.jobs.push_back(job);
            self.changed.notify_one();
        }
    }

    /// Next job, or [`Popped::Idle`] after waiting that long.
    fn pop(&self, idle_after: Option<Duration>) -> Popped<J> {
        let mut state = self.state.lock();
        loop {
            if state.closed {
                return Popped::Closed;
            }
            if let Some(job) = state.jobs.pop_front() {
                self.places.add_permits(1);
                return Popped::Job(job);
            }
            match idle_after {
                None => self.changed.wait(&mut state),
                Some(after)
                    if self.changed.wait_for(&mut state, after).timed_out() && state.jobs.is_empty() =>
                {
                    return if state.closed { Popped::Closed } else { Popped::Idle };
                }
                Some(_) => {}
            }
        }
    }

    /// Ends every worker after its job. Waiting jobs are dropped, and their callers get an error.
    fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        state.jobs.clear();
        self.places.close();
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use super::*;

    fn options(workers: usize, waiting: usize, idle_release: Option<Duration>) -> PoolOptions {
        PoolOptions { name: "test".into(), workers, waiting, idle_release, load_at_once: false }
    }

    /// Test pool that doubles, panics on 13, fails on 7, and counts the loads of sessions.
    fn doubling(options: PoolOptions) -> (WorkerPool<u32, u32>, Arc<AtomicUsize>) {
        let loads = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&loads);
        let load = move || Ok(counted.fetch_add(1, Ordering::SeqCst));
        let run = |_: &mut usize, input: u32| match input {
            13 => panic!("thirteen"),
            7 => Err(ModelError::Inference { model: "test".into(), reason: "seven".into() }),
            _ => Ok(input * 2),
        };
        (WorkerPool::start(options, None, load, run).unwrap(), loads)
    }

    #[tokio::test]
    async fn an_error_keeps_the_session_and_a_panic_drops_only_the_session() {
        let (pool, loads) = doubling(options(1, 4, None));
        assert_eq!(loads.load(Ordering::SeqCst), 0, "nothing is loaded before the first job");
        assert_eq!(pool.run(2).await.unwrap(), 4);
        assert!(matches!(pool.run(7).await, Err(ModelError::Inference { .. })));
        assert_eq!((pool.run(3).await.unwrap(), loads.load(Ordering::SeqCst)), (6, 1));
        assert!(pool.run(13).await.is_err_and(|error| error.to_string().contains("panicked")));
        assert_eq!((pool.run(4).await.unwrap(), loads.load(Ordering::SeqCst)), (8, 2));
    }

    #[tokio::test]
    async fn sessions_to_load_at_start_are_loaded_without_a_job() {
        let (pool, loads) = doubling(PoolOptions { load_at_once: true, ..options(2, 4, None) });
        while loads.load(Ordering::SeqCst) < 2 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!((pool.run(2).await.unwrap(), loads.load(Ordering::SeqCst)), (4, 2));
    }

    #[tokio::test]
    async fn an_idle_session_is_dropped_and_loaded_again() {
        /// Counts its drops.
        struct Session(Arc<AtomicUsize>);
        impl Drop for Session {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }
        let (loads, drops) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (loaded, dropped) = (Arc::clone(&loads), Arc::clone(&drops));
        let load = move || {
            loaded.fetch_add(1, Ordering::SeqCst);
            Ok(Session(Arc::clone(&dropped)))
        };
        let double = |_: &mut Session, input: u32| Ok(input * 2);
        let pool =
            WorkerPool::start(options(1, 4, Some(Duration::from_millis(5))), None, load, double).unwrap();
        pool.run(1).await.unwrap();
        while drops.load(Ordering::SeqCst) == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!((pool.run(1).await.unwrap(), loads.load(Ordering::SeqCst)), (2, 2));
    }

    #[tokio::test]
    async fn a_full_queue_refuses_and_a_job_whose_caller_left_is_not_run() {
        let (started, open) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (counted, opened) = (Arc::clone(&started), Arc::clone(&open));
        let run = move |(): &mut (), input: u32| {
            counted.fetch_add(1, Ordering::SeqCst);
            while !opened.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(1));
            }
            Ok(input)
        };
        let pool = Arc::new(WorkerPool::start(options(1, 1, None), None, || Ok(()), run).unwrap());
        let first = tokio::spawn({
            let pool = Arc::clone(&pool);
            async move { pool.run(1).await }
        });
        while started.load(Ordering::SeqCst) == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let second = tokio::spawn({
            let pool = Arc::clone(&pool);
            async move { pool.run(2).await }
        });
        while pool.queue.places.available_permits() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert!(matches!(pool.run_now(3).await, Err(ModelError::Busy { limit: 1, .. })));
        second.abort();
        assert!(second.await.is_err());
        open.store(true, Ordering::SeqCst);
        assert_eq!(first.await.unwrap().unwrap(), 1);
        assert_eq!(pool.run(4).await.unwrap(), 4);
        assert_eq!(started.load(Ordering::SeqCst), 2, "the job of the caller that left was run");
    }
}
