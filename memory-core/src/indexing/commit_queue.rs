//! Commit queue, the only write path of change sets: they are committed in groups and in order, then applied to the
//! index.
//!
//! A single task commits, so that the index receives commits in the order of the change log, and every commit reaches
//! the index even if the caller is cancelled. Many callers share one transaction and one sync to disk.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::FutureExt;
use tokio::sync::{mpsc, oneshot};
use tracing::{Instrument, debug_span};

use crate::domain::change::{Appended, ChangeSet, Committed, CreatedIds, NewTurns, Outcome};
use crate::domain::embedder::EmbedderId;
use crate::domain::id::{MemoryId, PartitionId};
use crate::domain::job::{Job, JobAttempt, JobState};
use crate::domain::link::redirect;
use crate::domain::memory::Memory;
use crate::domain::time::Timestamp;
use crate::error::Error;
use crate::index::{ErasureGuard, Index, Update};
use crate::jobs::arrivals::JobArrivals;
use crate::store::{Indexed, PutVectors, Store, VectorsPut, VectorsToPut};

/// Maximum number of memories read from the store in one call.
const MEMORIES_PER_READ: usize = 512;

/// Sender side of the queue.
#[derive(Clone, Debug)]
pub(crate) struct CommitQueue {
    work: mpsc::Sender<Work>,
    arrivals: JobArrivals,
    restarts: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Work {
    Commit(Box<ChangeSet>, oneshot::Sender<Result<Outcome, Error>>),
    /// Runs between two groups, so that no set is committed for an embedder that is no longer in use.
    UseEmbedder(EmbedderId, JobAttempt, oneshot::Sender<Result<bool, Error>>),
    /// Runs between two groups, so that the index receives the vectors in the order of the change log.
    PutVectors(VectorsToPut, oneshot::Sender<Result<u64, Error>>),
    /// Runs between two groups, so that no set skips its job because of one that has just looked for the last time.
    EndEmbedding(Box<Job>, Timestamp, oneshot::Sender<Result<bool, Error>>),
}

impl CommitQueue {
    /// Starts the task. At most `waiting` requests are queued; up to `sets_per_commit` change sets share a transaction.
    /// The task ends when the last sender is dropped.
    pub(crate) fn start(
        store: Arc<dyn Store>,
        index: Arc<dyn Index>,
        waiting: usize,
        sets_per_commit: usize,
    ) -> Self {
        let (work, queue) = mpsc::channel(waiting);
        let arrivals = JobArrivals::default();
        let ports = Ports { store, index, arrivals: arrivals.clone() };
        let restarts = Arc::new(AtomicU64::new(0));
        tokio::spawn(supervise(ports, queue, sets_per_commit, Arc::clone(&restarts)));
        Self { work, arrivals, restarts }
    }

    /// True if the task takes requests.
    pub(crate) fn is_alive(&self) -> bool {
        !self.work.is_closed()
    }

    /// Number of times that the task was started again after a panic.
    pub(crate) fn restarts(&self) -> u64 {
        self.restarts.load(Ordering::Relaxed)
    }

    /// Error of a request whose answer was lost.
    fn unanswered(&self) -> Error {
        if self.is_alive() { Error::Interrupted } else { Error::Stopping }
    }

    /// Signals of the jobs that are committed with change sets.
    pub(crate) fn job_arrivals(&self) -> &JobArrivals {
        &self.arrivals
    }

    /// Commits a set. When it returns, the change is durable and visible to every search.
    #[tracing::instrument(level = "debug", skip_all)]
    pub(crate) async fn commit(&self, set: ChangeSet) -> Result<Outcome, Error> {
        let (reply, answer) = oneshot::channel();
        self.send(Work::Commit(Box::new(set), reply))?;
        answer.await.map_err(|_| self.unanswered())?
    }

    /// Switches, as the work of a job, to an embedder that has rows of every memory; returns false if a memory still
    /// lacks them. Waits for a place in the queue.
    ///
    /// Errors: [`Error::LeaseLost`] if this worker no longer holds the job's lease.
    pub(crate) async fn use_embedder(&self, id: EmbedderId, attempt: JobAttempt) -> Result<bool, Error> {
        let (reply, answer) = oneshot::channel();
        self.work.send(Work::UseEmbedder(id, attempt, reply)).await.map_err(|_| Error::Stopping)?;
        answer.await.map_err(|_| self.unanswered())?
    }

    /// Writes vectors into rows that lack them, and returns their number. When it returns, they are durable and visible to every search. Waits for
    /// a place in the queue.
    ///
    /// Errors: [`Error::LeaseLost`] if this worker no longer holds the job's lease.
    pub(crate) async fn put_vectors(&self, made: VectorsToPut) -> Result<u64, Error> {
        let (reply, answer) = oneshot::channel();
        self.work.send(Work::PutVectors(made, reply)).await.map_err(|_| Error::Stopping)?;
        answer.await.map_err(|_| self.unanswered())?
    }

    /// Ends a job that makes missing vectors; returns false, and leaves the job running, if its tenant has rows without
    /// a vector. Waits for a place in the queue.
    ///
    /// Errors: [`Error::LeaseLost`] if this worker no longer holds the job's lease.
    pub(crate) async fn end_embedding(&self, job: Job, now: Timestamp) -> Result<bool, Error> {
        let (reply, answer) = oneshot::channel();
        self.work.send(Work::EndEmbedding(Box::new(job), now, reply)).await.map_err(|_| Error::Stopping)?;
        answer.await.map_err(|_| self.unanswered())?
    }

    fn send(&self, work: Work) -> Result<(), Error> {
        self.work.try_send(work).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Error::Busy,
            mpsc::error::TrySendError::Closed(_) => Error::Stopping,
        })
    }
}

/// Receivers of commits.
struct Ports {
    store: Arc<dyn Store>,
    index: Arc<dyn Index>,
    arrivals: JobArrivals,
}

/// Runs the task, and goes on with the next group after a panic. The callers of the group in which it happened get
/// [`Error::Interrupted`]; it may be committed without being in the index, which is therefore read anew.
async fn supervise(
    ports: Ports,
    mut queue: mpsc::Receiver<Work>,
    sets_per_commit: usize,
    restarts: Arc<AtomicU64>,
) {
    while AssertUnwindSafe(run(&ports, &mut queue, sets_per_commit)).catch_unwind().await.is_err() {
        restarts.fetch_add(1, Ordering::Relaxed);
        tracing::error!("the commit task panicked: its group is answered with an error, and it goes on");
        if AssertUnwindSafe(ports.index.clear_cache()).catch_unwind().await.is_err() {
            tracing::error!("the index could not be cleared after a panic");
        }
    }
}

async fn run(ports: &Ports, queue: &mut mpsc::Receiver<Work>, sets_per_commit: usize) {
    let mut group = Vec::with_capacity(sets_per_commit);
    while queue.recv_many(&mut group, sets_per_commit).await > 0 {
        let (mut sets, mut replies) = (Vec::new(), Vec::new());
        for work in group.drain(..) {
            match work {
                Work::Commit(set, reply) => {
                    sets.push(*set);
                    replies.push(reply);
                }
                Work::UseEmbedder(id, attempt, reply) => {
                    commit_group(ports, std::mem::take(&mut sets), std::mem::take(&mut replies)).await;
                    let _ = reply.send(use_embedder(&*ports.store, &*ports.index, id, attempt).await);
                }
                Work::PutVectors(made, reply) => {
                    commit_group(ports, std::mem::take(&mut sets), std::mem::take(&mut replies)).await;
                    let _ = reply.send(put_vectors(ports, made).await);
                }
                Work::EndEmbedding(job, now, reply) => {
                    commit_group(ports, std::mem::take(&mut sets), std::mem::take(&mut replies)).await;
                    let _ = reply.send(end_embedding(&*ports.store, *job, now).await);
                }
            }
        }
        commit_group(ports, sets, replies).await;
    }
}

async fn commit_group(ports: &Ports, sets: Vec<ChangeSet>, replies: Vec<Reply>) {
    // Held until the erasures are in the store and in the index.
    let (sets, replies, _erasures) = begin_erasures(ports, sets, replies).await;
    if sets.is_empty() {
        return;
    }
    // A group holds the sets of many requests: it has a span of its own beside theirs.
    let committing = ports.store.commit(&sets).instrument(debug_span!("commit_group", sets = sets.len()));
    match committing.await {
        Ok(outcomes) => {
            for ((set, outcome), reply) in sets.into_iter().zip(outcomes).zip(replies) {
                if let Ok(Outcome::Committed(committed)) = &outcome {
                    let mut jobs: Vec<String> = set.jobs.iter().map(|job| job.kind.clone()).collect();
                    jobs.extend(committed.created.job.map(|_| Job::ERASE_OWNER.to_owned()));
                    show(&*ports.store, &*ports.index, set, committed).instrument(debug_span!("index")).await;
                    jobs.iter().for_each(|kind| ports.arrivals.announce(kind));
                }
                let _ = reply.send(outcome.map_err(Error::from));
            }
        }
        Err(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                sets = sets.len(),
                "nothing was committed"
            );
            for reply in replies {
                let _ = reply.send(Err(Error::Store(error.alike())));
            }
        }
    }
}

type Reply = oneshot::Sender<Result<Outcome, Error>>;

/// Removes what the index has in files of the partitions that these sets erase from, before anything is erased from the
/// store: a kill in between leaves no erased bytes. A set whose files cannot be removed is answered with the error and
/// left out.
async fn begin_erasures(
    ports: &Ports,
    sets: Vec<ChangeSet>,
    replies: Vec<Reply>,
) -> (Vec<ChangeSet>, Vec<Reply>, Vec<ErasureGuard>) {
    let (mut kept, mut kept_replies, mut erasures) = (Vec::new(), Vec::new(), Vec::new());
    for (set, reply) in sets.into_iter().zip(replies) {
        if !set.erasures.is_empty() || !set.retractions.is_empty() || set.erases_owner.is_some() {
            match begin_erasure(ports, &set).await {
                Ok(erasure) => erasures.extend(erasure),
                Err(error) => {
                    let _ = reply.send(Err(error));
                    continue;
                }
            }
        }
        kept.push(set);
        kept_replies.push(reply);
    }
    (kept, kept_replies, erasures)
}

async fn begin_erasure(ports: &Ports, set: &ChangeSet) -> Result<Option<ErasureGuard>, Error> {
    match ports.store.partition_of(set.tenant, &set.owner).await? {
        Some(partition) => Ok(Some(ports.index.begin_erasure(partition).await?)),
        None => Ok(None),
    }
}

/// Applies a committed set to the index.
async fn show(store: &dyn Store, index: &dyn Index, set: ChangeSet, committed: &Committed) {
    let partition = committed.partition;
    if committed.is_detached {
        index.clear_partition(partition).await;
        return;
    }
    let (update, unread) = update_of(set, committed);
    apply(store, index, partition, (update, unread)).await;
}

/// Applies an update to the index after reading the memories that it lacks.
async fn apply(
    store: &dyn Store,
    index: &dyn Index,
    partition: PartitionId,
    (mut update, unread): (Update, Unread),
) {
    let applied = async {
        for some in unread.put.chunks(MEMORIES_PER_READ) {
            update.put.extend(store.indexed(partition, some).await?);
        }
        for some in unread.touched.chunks(MEMORIES_PER_READ) {
            update.touched.extend(store.retained(partition, some).await?);
        }
        index.apply(partition, update).await
    };
    if let Err(error) = applied.await {
        // The commit stands, since the store is authoritative: the next query reloads the partition.
        tracing::warn!(error = &error as &dyn std::error::Error, "the index reads a partition anew");
        index.clear_partition(partition).await;
    }
}

async fn use_embedder(
    store: &dyn Store,
    index: &dyn Index,
    id: EmbedderId,
    attempt: JobAttempt,
) -> Result<bool, Error> {
    let wanting = store.unembedded(id, None, 1).await?;
    if !wanting.is_empty() {
        return Ok(false);
    }
    if !store.use_embedder_for(id, attempt).await? {
        return Err(Error::LeaseLost { job: attempt.job.to_string() });
    }
    index.clear_cache().await;
    Ok(true)
}

async fn put_vectors(ports: &Ports, made: VectorsToPut) -> Result<u64, Error> {
    let PutVectors::Done(put) = ports.store.put_vectors(&made).await? else {
        return Err(Error::LeaseLost { job: made.attempt.job.to_string() });
    };
    let written = put.written;
    if !put.memories.is_empty() {
        let VectorsPut { seq_before, seq_after, memories, .. } = put;
        let update = Update { seq_before, seq_after, ..Update::default() };
        let unread = Unread { put: memories, touched: Vec::new() };
        apply(&*ports.store, &*ports.index, made.partition, (update, unread)).await;
    }
    Ok(written)
}

async fn end_embedding(store: &dyn Store, mut job: Job, now: Timestamp) -> Result<bool, Error> {
    if !store.rows_to_embed(job.tenant, None, 1).await?.is_empty() {
        return Ok(false);
    }
    (job.state, job.error) = (JobState::Done, None);
    if store.finish(&job, now, now).await? {
        return Ok(true);
    }
    Err(Error::LeaseLost { job: job.id.to_string() })
}

/// Memories of a commit that are read from the store for the index.
struct Unread {
    /// With their rows: those of revisions, which inherit fields from the stored version, of restorations, and those that an
    /// erasure made valid again.
    put: Vec<MemoryId>,
    /// Retention alone.
    touched: Vec<MemoryId>,
}

/// Index update of a committed set, and the memories that must be read from the store.
fn update_of(set: ChangeSet, committed: &Committed) -> (Update, Unread) {
    let mut put = Vec::new();
    let replaced = set.memories.iter().zip(&committed.replaced);
    let kept: HashMap<MemoryId, MemoryId> =
        replaced.filter_map(|(new, kept)| Some((new.memory.id, kept.as_ref()?.id))).collect();
    let turns = set.turns.as_ref().map_or(0, |new| new.turns.len());
    if let (Some(new), Some(at)) = (set.turns, committed.appended) {
        put.extend(turns_at(new, at, &committed.created));
    }
    for (index, (new, replaced)) in (turns..).zip(set.memories.into_iter().zip(committed.replaced.clone())) {
        if !committed.created.is_written(index) {
            continue;
        }
        let memory = replaced.unwrap_or(new.memory);
        put.push(Indexed { memory: without_text(memory), rows: new.rows });
    }
    let mut unread: Vec<MemoryId> = set.revisions.iter().map(|revision| revision.memory.id).collect();
    let restored = committed.restored.iter().filter(|restored| restored.is_changed);
    unread.extend(restored.filter_map(|restored| restored.memory));
    unread.extend(&committed.reopened);
    unread.sort_unstable();
    unread.dedup();
    for one in &mut put {
        redirect(&mut one.memory.links, &kept);
    }
    let Committed { seq_before, seq_after, .. } = *committed;
    let erased = committed.created.erased.clone();
    let unread = Unread { put: unread, touched: committed.touched.clone() };
    (Update { seq_before, seq_after, put, touched: Vec::new(), erased }, unread)
}

/// Turns have provisional ordinals until the store has assigned the final ones to those that it wrote.
fn turns_at(new: NewTurns, at: Appended, created: &CreatedIds) -> impl Iterator<Item = Indexed> {
    let written = new.turns.into_iter().enumerate().filter(|(index, _)| created.is_written(*index));
    (at.first_seq..).zip(written).map(move |(seq, (_, (_, new)))| {
        let mut memory = without_text(new.memory);
        if let Some(origin) = &mut memory.origin {
            origin.session = at.session;
            origin.session_ordinal = at.session_ordinal;
            origin.seq = seq;
        }
        Indexed { memory, rows: new.rows }
    })
}

fn without_text(mut memory: Memory) -> Memory {
    memory.text = String::new();
    memory
}
