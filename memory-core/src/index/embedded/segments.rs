//! Segments of the cached partitions: who may write one and when, the fence by which erased bytes leave them, and the bound
//! on their folder. `segment/` has the files themselves.
//!
//! A segment is written only from a partition that was built for it or that nobody uses yet, never from one that is in
//! use: rows of erased memories stay in a partition in use until it is read anew.
//!
//! The fence: an erasure removes the segment first and is committed then. From the removal until the erasure is in the
//! store, and by what was read before, no segment of the partition is written. A kill at any point leaves either the
//! erasure uncommitted or no segment.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;

use super::partition::Partition;
use super::segment::{SegmentFiles, SegmentIdentity};
use crate::domain::id::PartitionId;
use crate::retention::Policy;

/// Time between two removals of a segment whose writing is about to begin.
const BETWEEN_REMOVALS: Duration = Duration::from_millis(2);

/// Settings of segment files.
#[derive(Clone, Debug)]
pub struct SegmentOptions {
    /// Folder of the files, which belongs to one store.
    pub folder: PathBuf,
    /// Bytes of the folder at most; the oldest files are removed beyond it.
    pub budget_bytes: u64,
    /// Identity of the rows: the embedder with the tokenizer and the recipe of its keys. Segments of others are removed.
    pub rows: String,
    /// Components of a vector.
    pub dimension: usize,
    /// Rows from which on a partition has a segment.
    pub min_rows: usize,
}

impl SegmentOptions {
    /// Fewer rows are read from the store in some tens of milliseconds.
    pub const MIN_ROWS: usize = 1_024;
}

/// Segments of one index.
#[derive(Debug)]
pub(super) struct Segments {
    files: SegmentFiles,
    folder: PathBuf,
    budget_bytes: u64,
    min_rows: usize,
    fences: Arc<Mutex<Fences>>,
}

/// Fences of the partitions that are being read for a segment or erased from.
#[derive(Debug, Default)]
struct Fences {
    by_id: HashMap<PartitionId, Fence>,
    /// Number of removals of all segments so far.
    removals: u64,
}

#[derive(Debug, Default)]
struct Fence {
    /// Number of erasures so far.
    erasures: u64,
    /// Number of erasures that are not in the store yet.
    erasing: usize,
    /// Number of permits.
    reading: usize,
    /// True while a segment of the partition is written.
    writing: bool,
}

/// Permit to write a segment from what is read of the store from now on.
#[derive(Debug)]
pub(super) struct WritePermit {
    id: PartitionId,
    /// Erasures of the partition and removals of all so far; none if an erasure was under way.
    at: Option<(u64, u64)>,
    fences: Arc<Mutex<Fences>>,
}

/// An erasure under way: while it lives, no segment of the partition is written.
#[derive(Debug)]
pub(super) struct ErasureUnderWay {
    id: PartitionId,
    fences: Arc<Mutex<Fences>>,
}

impl Segments {
    /// Opens the folder, which is made if it is missing.
    pub(super) fn open(options: &SegmentOptions, policy: &Policy) -> io::Result<Self> {
        // The folder lies in the store's directory, and a load compares a segment with the change log.
        let store = "";
        let retention = format!(
            "{} {:?} {} {} {}",
            policy.curve.as_str(),
            policy.initial_strengths,
            policy.importance_gain,
            policy.surprise_gain,
            policy.surprise_midpoint
        );
        let identity = SegmentIdentity::new(store, &options.rows, options.dimension, &retention);
        Ok(Self {
            files: SegmentFiles::open(&options.folder, identity)?,
            folder: options.folder.clone(),
            budget_bytes: options.budget_bytes,
            min_rows: options.min_rows,
            fences: Arc::default(),
        })
    }

    /// Called before the store is read for a segment.
    pub(super) fn permit(&self, id: PartitionId) -> WritePermit {
        let mut fences = self.fences.lock();
        let removals = fences.removals;
        let fence = fences.by_id.entry(id).or_default();
        fence.reading += 1;
        let at = (fence.erasing == 0).then_some((fence.erasures, removals));
        WritePermit { id, at, fences: Arc::clone(&self.fences) }
    }

    /// The partition as its segment has it. Blocking.
    pub(super) fn read(&self, id: PartitionId, policy: Arc<Policy>) -> Option<Partition> {
        self.files.read(id, policy)
    }

    /// Writes a segment of a partition that was read under this permit, unless it is small, was erased from since, or is
    /// being written. True if it was written. Blocking.
    pub(super) fn write(&self, permit: &WritePermit, partition: &Partition) -> bool {
        let id = permit.id;
        if partition.rows() < self.min_rows {
            return false;
        }
        let Some(_writing) = permit.begin_writing() else { return false };
        let written = self.make_room(partition.bytes()).and_then(|()| self.files.write(id, partition));
        if let Err(error) = &written {
            // An earlier segment, if there is one, is of use all the same.
            tracing::warn!(%error, partition = %id, "a segment of the index was not written");
        }
        written.is_ok()
    }

    /// Removes a partition's segment before an erasure is committed, and ends a writing of it. Blocking.
    pub(super) fn begin_erasure(&self, id: PartitionId) -> io::Result<ErasureUnderWay> {
        let erasure = {
            let mut fences = self.fences.lock();
            let fence = fences.by_id.entry(id).or_default();
            fence.erasures += 1;
            fence.erasing += 1;
            ErasureUnderWay { id, fences: Arc::clone(&self.fences) }
        };
        self.until_unwritten(
            |fences| fences.by_id.get(&id).is_some_and(|fence| fence.writing),
            || self.files.remove(id),
        )?;
        Ok(erasure)
    }

    /// Removes a segment that does not fit the store. Blocking.
    pub(super) fn refuse(&self, id: PartitionId) {
        if let Err(error) = self.files.remove(id) {
            tracing::warn!(%error, partition = %id, "a segment of the index was not removed");
        }
    }

    /// Removes all segments; nothing that was read before is written afterwards. Blocking.
    pub(super) fn remove_all(&self) -> io::Result<()> {
        self.fences.lock().removals += 1;
        self.until_unwritten(
            |fences| fences.by_id.values().any(|fence| fence.writing),
            || self.files.remove_all(),
        )
    }

    /// Removes files until no writing was under way before a removal. A removal ends the writings that it meets; one that
    /// is about to begin is met by the next.
    fn until_unwritten(
        &self,
        is_writing: impl Fn(&Fences) -> bool,
        remove: impl Fn() -> io::Result<()>,
    ) -> io::Result<()> {
        loop {
            let was_writing = is_writing(&self.fences.lock());
            remove()?;
            if !was_writing {
                return Ok(());
            }
            std::thread::sleep(BETWEEN_REMOVALS);
        }
    }

    /// Removes the oldest segments while there is no room for so many bytes more.
    fn make_room(&self, bytes: usize) -> io::Result<()> {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let Some(room) = self.budget_bytes.checked_sub(bytes) else {
            return Err(io::ErrorKind::QuotaExceeded.into());
        };
        if self.files.bytes() <= room {
            return Ok(());
        }
        for (_, id) in oldest_first(&self.folder)? {
            if self.files.bytes() <= room {
                break;
            }
            self.files.remove(id)?;
        }
        Ok(())
    }
}

/// The partitions with a segment, the oldest first.
fn oldest_first(folder: &Path) -> io::Result<Vec<(SystemTime, PartitionId)>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let id = name.to_str().and_then(|name| name.split_once('-')).and_then(|(id, _)| id.parse().ok());
        if let Some(id) = id {
            files.push((entry.metadata()?.modified()?, PartitionId(id)));
        }
    }
    files.sort_unstable();
    Ok(files)
}

impl WritePermit {
    pub(super) fn id(&self) -> PartitionId {
        self.id
    }

    /// Begins a writing, unless something was erased since the permit was given or another writing is under way.
    fn begin_writing(&self) -> Option<Writing<'_>> {
        let mut fences = self.fences.lock();
        let removals = fences.removals;
        let fence = fences.by_id.get_mut(&self.id)?;
        let may_begin = self.at == Some((fence.erasures, removals)) && !fence.writing;
        fence.writing |= may_begin;
        may_begin.then(|| Writing(self))
    }
}

/// A segment is being written.
struct Writing<'a>(&'a WritePermit);

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        if let Some(fence) = self.0.fences.lock().by_id.get_mut(&self.0.id) {
            fence.writing = false;
        }
    }
}

impl Drop for WritePermit {
    fn drop(&mut self) {
        self.fences.lock().release(self.id, |fence| fence.reading = fence.reading.saturating_sub(1));
    }
}

impl Drop for ErasureUnderWay {
    fn drop(&mut self) {
        self.fences.lock().release(self.id, |fence| fence.erasing = fence.erasing.saturating_sub(1));
    }
}

impl Fences {
    /// Drops a fence that nobody needs any more, so that their number stays that of loads and erasures under way.
    fn release(&mut self, id: PartitionId, release: impl FnOnce(&mut Fence)) {
        let Some(fence) = self.by_id.get_mut(&id) else { return };
        release(fence);
        if fence.reading == 0 && fence.erasing == 0 {
            self.by_id.remove(&id);
        }
    }
}
