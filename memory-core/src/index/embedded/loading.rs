//! Loads of partitions into the cache: one task per partition, shared by all callers that wait for it.
//!
//! A load outlives its callers, so that a caller that gives up does not make the next one start over. It reads one
//! snapshot of the store (a number of the change log) while commits go on; their updates are queued by
//! [`super::partition_cache`] and applied after it. Reading with decoding, and building, each run on a blocking thread, so
//! that no async thread is held and the two overlap. A failed load gives its error to every caller that waits; the next
//! caller starts a new one.
//!
//! Where the index has segments, a load begins with one and replays the change log after it; after a load without one it
//! is written before the partition is searched, which adds a twentieth. Segments of partitions that grow are written in
//! the background, from a partition that is built for it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::catch_up::caught_up;
use super::growth::{Growth, TICK};
use super::partition::{Partition, Tier};
use super::partition_cache::{CachedPartition, Key, LoadOutcome, PartitionCache, Reservation, SharedLoad};
use super::segments::{Segments, WritePermit};
use crate::domain::id::PartitionId;
use crate::index::IndexError;
use crate::retention::Policy;
use crate::store::{IndexSource, Indexed};

/// Reads of a load at most. Another one is needed if an update is missing among the queued ones; updates are applied in the
/// order of the log, so even a second one is a sign of a bug.
const MAX_READS: usize = 3;
/// Memories from which on a partition is large: its full load takes a second or more.
const LARGE_PARTITION: u64 = 20_000;
/// Loads of small partitions at the same time at most, and of large ones beside them, so that nobody waits for the load of
/// a much larger owner. They bound the partitions that are in memory beyond the cache's budget, and the connections to the
/// store that loads hold.
const MAX_SMALL_LOADS: usize = 2;
const MAX_LARGE_LOADS: usize = 1;
/// Loads that wait for their turn at most, those under way included. Further callers wait for a place, and give it up
/// when they give up themselves.
const MAX_QUEUED_LOADS: usize = 256;
/// Memories that the reader of a load hands to the builder at once.
const MEMORIES_PER_BATCH: usize = 256;
/// Batches that the reader is ahead of the builder at most.
const MAX_BATCHES_AHEAD: usize = 4;
/// Rows after which a partition that is being built is measured again; beyond eight times as many, after an eighth.
const ROWS_PER_MEASUREMENT: usize = 8_192;

/// Loads of partitions of one index.
#[derive(Debug)]
pub(super) struct Loader {
    source: Arc<dyn IndexSource>,
    policy: Arc<Policy>,
    cache: Arc<PartitionCache>,
    queued: Arc<Semaphore>,
    small: Semaphore,
    large: Semaphore,
    closed: watch::Sender<bool>,
    segments: Option<Arc<Segments>>,
    growth: Growth,
    /// True once the task that writes segments of grown partitions was started.
    is_writing: AtomicBool,
}

impl Loader {
    pub(super) fn new(
        source: Arc<dyn IndexSource>,
        policy: Arc<Policy>,
        cache: Arc<PartitionCache>,
        segments: Option<Arc<Segments>>,
    ) -> Self {
        Self {
            source,
            policy,
            cache,
            queued: Arc::new(Semaphore::new(MAX_QUEUED_LOADS)),
            small: Semaphore::new(MAX_SMALL_LOADS),
            large: Semaphore::new(MAX_LARGE_LOADS),
            closed: watch::Sender::new(false),
            segments,
            growth: Growth::default(),
            is_writing: AtomicBool::new(false),
        }
    }

    /// The cached partition, after a load if it is missing. A caller that drops the future leaves the load running.
    pub(super) async fn loaded(self: &Arc<Self>, key: Key) -> Result<Arc<CachedPartition>, IndexError> {
        let cached = self.cache.touch(key);
        if cached.is_loaded() {
            return Ok(cached);
        }
        if let Some(mut load) = self.joined_or_started(key, &cached).await? {
            let outcome = load.wait_for(Option::is_some).await.map_err(|_| IndexError::Abandoned)?;
            outcome.clone().unwrap_or(Err(IndexError::Abandoned))?;
        }
        Ok(cached)
    }

    /// Ends the loads under way at their next step; their callers get [`IndexError::Abandoned`].
    pub(super) fn close(&self) {
        self.closed.send_replace(true);
    }

    /// The load under way, or a new one; none if the partition was loaded meanwhile.
    async fn joined_or_started(
        self: &Arc<Self>,
        key: Key,
        cached: &Arc<CachedPartition>,
    ) -> Result<Option<SharedLoad>, IndexError> {
        if let Some(load) = under_way(&cached.load.lock()) {
            return Ok(Some(load));
        }
        let place = self.queued.clone().acquire_owned().await.map_err(|_| IndexError::Abandoned)?;
        let mut load = cached.load.lock();
        if cached.is_loaded() {
            return Ok(None);
        }
        if let Some(load) = under_way(&load) {
            return Ok(Some(load));
        }
        let (outcome, receiver) = watch::channel(None);
        *load = Some(receiver.clone());
        tokio::spawn(Arc::clone(self).run(key, Arc::clone(cached), place, outcome));
        Ok(Some(receiver))
    }

    async fn run(
        self: Arc<Self>,
        key: Key,
        cached: Arc<CachedPartition>,
        _place: OwnedSemaphorePermit,
        outcome: watch::Sender<LoadOutcome>,
    ) {
        let loaded = self.load_in_turn(key, &cached).await;
        self.cache.measure(key);
        outcome.send_replace(Some(loaded));
    }

    async fn load_in_turn(&self, key: Key, cached: &Arc<CachedPartition>) -> Result<(), IndexError> {
        let is_large = self.source.extent(key.partition).await?.memories >= LARGE_PARTITION;
        let lane = if is_large { &self.large } else { &self.small };
        let _turn = lane.acquire().await.map_err(|_| IndexError::Abandoned)?;
        self.load(key, cached).await
    }

    async fn load(&self, key: Key, cached: &Arc<CachedPartition>) -> Result<(), IndexError> {
        for _ in 0..MAX_READS {
            let load = CachedPartition::begin_load(cached);
            let partition = self.read(key, cached).await?;
            // Applies queued updates, which may be many.
            if blocking(move || load.install(partition)).await? {
                return Ok(());
            }
        }
        Err(IndexError::Abandoned)
    }

    /// The partition for the cache, by its segment if it has one. Segments are of the resident tier.
    async fn read(&self, key: Key, cached: &Arc<CachedPartition>) -> Result<Partition, IndexError> {
        let (cache, entry) = (Arc::clone(&self.cache), Arc::clone(cached));
        let account = move |bytes| cache.account(key, &entry, bytes);
        let id = key.partition;
        let segments = self.segments.as_ref().filter(|_| key.tier == Tier::Resident);
        let Some(segments) = segments else { return self.read_store(key, account).await };
        let permit = segments.permit(id);
        if let Some((partition, segment_seq)) = self.read_segment(segments, id).await? {
            self.note_segment(id, segment_seq, &partition);
            return Ok(partition);
        }
        let partition = self.read_store(key, account).await?;
        self.write_segment(segments, permit, partition).await
    }

    /// Writes the partition's segment anew, in the background. One at a time, beside the loads.
    async fn renew_segment(&self, segments: &Arc<Segments>, id: PartitionId) -> Result<(), IndexError> {
        let memory = Arc::new(self.cache.reserve());
        let permit = segments.permit(id);
        let partition = match self.read_segment(segments, id).await? {
            Some((partition, _)) => partition,
            None => {
                let memory: Arc<Reservation> = Arc::clone(&memory);
                self.read_store(Key::resident(id), move |bytes| memory.set(bytes)).await?
            }
        };
        memory.set(partition.bytes());
        self.write_segment(segments, permit, partition).await.map(drop)
    }

    /// Remembers a commit, so that the segment of a partition that grows is renewed.
    pub(super) fn committed(self: &Arc<Self>, id: PartitionId, seq_before: u64, seq_after: u64) {
        let Some(segments) = &self.segments else { return };
        self.growth.committed(id, seq_before, seq_after);
        if !self.is_writing.swap(true, Ordering::Relaxed) {
            tokio::spawn(renew_segments(Arc::downgrade(self), Arc::clone(segments)));
        }
    }

    /// Renews the segments of all partitions that have grown.
    pub(super) async fn settle(&self) {
        let Some(segments) = &self.segments else { return };
        // Twice: the first look takes what is busy for quiet.
        self.renew(segments, self.growth.due()).await;
        self.renew(segments, self.growth.due()).await;
    }

    async fn renew(&self, segments: &Arc<Segments>, due: Vec<PartitionId>) {
        for id in due {
            if let Err(error) = self.renew_segment(segments, id).await {
                tracing::warn!(error = &error as &dyn std::error::Error, partition = %id, "no segment was written");
                self.growth.forget(id);
            }
        }
    }

    /// The partition of the segment, with the change log replayed, and the segment's number. None if there is none or it
    /// was refused.
    async fn read_segment(
        &self,
        segments: &Arc<Segments>,
        id: PartitionId,
    ) -> Result<Option<(Partition, u64)>, IndexError> {
        let (segments, source) = (Arc::clone(segments), Arc::clone(&self.source));
        let policy = Arc::clone(&self.policy);
        let runtime = tokio::runtime::Handle::current();
        let mut closed = self.closed.subscribe();
        blocking(move || {
            let Some(partition) = segments.read(id, policy) else { return Ok(None) };
            let segment_seq = partition.seq();
            let caught_up = runtime.block_on(async {
                tokio::select! {
                    caught_up = caught_up(&*source, id, partition) => caught_up,
                    _ = closed.wait_for(|closed| *closed) => Err(IndexError::Abandoned),
                }
            })?;
            if caught_up.is_none() {
                segments.refuse(id);
            }
            Ok(caught_up.map(|partition| (partition, segment_seq)))
        })
        .await
    }

    async fn write_segment(
        &self,
        segments: &Arc<Segments>,
        permit: WritePermit,
        partition: Partition,
    ) -> Result<Partition, IndexError> {
        let (segments, id) = (Arc::clone(segments), permit.id());
        let (partition, is_written) = blocking(move || {
            let is_written = segments.write(&permit, &partition);
            Ok((partition, is_written))
        })
        .await?;
        match is_written {
            true => self.note_segment(id, partition.seq(), &partition),
            false => self.growth.forget(id),
        }
        Ok(partition)
    }

    fn note_segment(&self, id: PartitionId, segment_seq: u64, partition: &Partition) {
        self.growth.has_segment(id, segment_seq, partition.seq(), partition.rows());
    }

    /// Reads the partition from the store. Passes its size to `account` as it grows.
    async fn read_store(
        &self,
        key: Key,
        account: impl Fn(usize) + Send + 'static,
    ) -> Result<Partition, IndexError> {
        let empty =
            Partition::new(self.source.dimension().await?, Arc::clone(&self.policy))?.of_tier(key.tier);
        let (batches, received) = sync_channel(MAX_BATCHES_AHEAD);
        let building = blocking(move || build(empty, &received, account));
        let (source, mut closed) = (Arc::clone(&self.source), self.closed.subscribe());
        let runtime = tokio::runtime::Handle::current();
        let reading = blocking(move || {
            runtime.block_on(async {
                tokio::select! {
                    read = read_batches(&*source, key.partition, batches) => read,
                    _ = closed.wait_for(|closed| *closed) => Err(IndexError::Abandoned),
                }
            })
        });
        let (built, seq) = futures::future::join(building, reading).await;
        let mut partition = built?;
        partition.set_seq(seq?);
        Ok(partition)
    }
}

/// Renews segments until the index is dropped.
async fn renew_segments(loader: Weak<Loader>, segments: Arc<Segments>) {
    loop {
        tokio::time::sleep(TICK).await;
        let Some(loader) = loader.upgrade() else { return };
        if *loader.closed.borrow() {
            return;
        }
        loader.renew(&segments, loader.growth.due()).await;
    }
}

/// Runs on a blocking thread; a panic there is [`IndexError::Abandoned`].
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, IndexError> + Send + 'static,
) -> Result<T, IndexError> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(IndexError::Abandoned))
}

fn under_way(load: &Option<SharedLoad>) -> Option<SharedLoad> {
    let load = load.as_ref()?;
    let is_under_way = load.borrow().is_none() && load.has_changed().is_ok();
    is_under_way.then(|| load.clone())
}

/// Reads a snapshot and passes it on in batches; returns its number in the change log. The receiver hangs up when it
/// cannot use more: the rest is read in vain.
async fn read_batches(
    source: &dyn IndexSource,
    id: PartitionId,
    batches: SyncSender<Vec<Indexed>>,
) -> Result<u64, IndexError> {
    let mut batch = Vec::with_capacity(MEMORIES_PER_BATCH);
    let seq = source
        .load(id, &mut |indexed| {
            batch.push(indexed);
            if batch.len() == MEMORIES_PER_BATCH {
                let full = std::mem::replace(&mut batch, Vec::with_capacity(MEMORIES_PER_BATCH));
                let _ = batches.send(full);
            }
        })
        .await?;
    let _ = batches.send(batch);
    Ok(seq)
}

/// Builds a partition from batches. Passes its size to `account` as it grows.
fn build(
    mut partition: Partition,
    batches: &Receiver<Vec<Indexed>>,
    account: impl Fn(usize),
) -> Result<Partition, IndexError> {
    let mut next_measurement = ROWS_PER_MEASUREMENT;
    for batch in batches {
        for indexed in &batch {
            partition.put(indexed)?;
        }
        if partition.rows() >= next_measurement {
            account(partition.bytes());
            next_measurement = partition.rows() + ROWS_PER_MEASUREMENT.max(partition.rows() / 8);
        }
    }
    Ok(partition)
}
