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
use std::time::SystemTime;

use parking_lot::{Mutex, RwLock};

use super::partition::Partition;
use super::segment::{SegmentFiles, SegmentIdentity};
use crate::domain::id::PartitionId;
use crate::retention::Curve;

/// Rows from which on a partition has a segment: fewer are read from the store in some tens of milliseconds.
pub(super) const MIN_SEGMENT_ROWS: usize = 1_024;

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
}

/// Segments of one index.
#[derive(Debug)]
pub(super) struct Segments {
    files: SegmentFiles,
    folder: PathBuf,
    budget_bytes: u64,
    fences: Arc<Mutex<Fences>>,
    /// Held shared while one file is changed, alone while all are removed.
    all_files: RwLock<()>,
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
    /// Held while the partition's file is changed.
    file: Arc<Mutex<()>>,
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
    pub(super) fn open(options: &SegmentOptions, curve: &dyn Curve) -> io::Result<Self> {
        // The folder lies in the store's directory, and a load compares a segment with the change log.
        let store = "";
        let identity = SegmentIdentity::new(store, &options.rows, options.dimension, curve.name());
        Ok(Self {
            files: SegmentFiles::open(&options.folder, identity)?,
            folder: options.folder.clone(),
            budget_bytes: options.budget_bytes,
            fences: Arc::default(),
            all_files: RwLock::new(()),
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
    pub(super) fn read(&self, id: PartitionId, curve: Arc<dyn Curve>) -> Option<Partition> {
        self.files.read(id, curve)
    }

    /// Writes a segment of a partition that was read under this permit, unless it is small or was erased from since.
    /// True if it was written. Blocking; an error leaves no segment.
    pub(super) fn write(&self, permit: &WritePermit, partition: &Partition) -> bool {
        let id = permit.id;
        if partition.rows() < MIN_SEGMENT_ROWS {
            return false;
        }
        let _shared = self.all_files.read();
        let Some(file) = self.fences.lock().by_id.get(&id).map(|fence| Arc::clone(&fence.file)) else {
            return false;
        };
        let _alone = file.lock();
        if !permit.holds() {
            return false;
        }
        let written = self.make_room(partition.bytes()).and_then(|()| self.files.write(id, partition));
        if let Err(error) = &written {
            tracing::warn!(%error, partition = id.0, "a segment of the index was not written");
            // A segment that is older than this one is of use all the same.
        }
        written.is_ok()
    }

    /// Removes a partition's segment before an erasure is committed. Blocking.
    pub(super) fn begin_erasure(&self, id: PartitionId) -> io::Result<ErasureUnderWay> {
        let (erasure, file) = {
            let mut fences = self.fences.lock();
            let fence = fences.by_id.entry(id).or_default();
            fence.erasures += 1;
            fence.erasing += 1;
            (ErasureUnderWay { id, fences: Arc::clone(&self.fences) }, Arc::clone(&fence.file))
        };
        let _shared = self.all_files.read();
        let _alone = file.lock();
        self.files.remove(id)?;
        Ok(erasure)
    }

    /// Removes a segment that does not fit the store. Blocking.
    pub(super) fn refuse(&self, id: PartitionId) {
        let _shared = self.all_files.read();
        if let Err(error) = self.files.remove(id) {
            tracing::warn!(%error, partition = id.0, "a segment of the index was not removed");
        }
    }

    /// Removes all segments; nothing that was read before is written afterwards. Blocking.
    pub(super) fn remove_all(&self) -> io::Result<()> {
        self.fences.lock().removals += 1;
        let _alone = self.all_files.write();
        self.files.remove_all()
    }

    /// Removes the oldest files while there is no room for so many bytes more.
    fn make_room(&self, bytes: usize) -> io::Result<()> {
        let room = self.budget_bytes.saturating_sub(u64::try_from(bytes).unwrap_or(u64::MAX));
        let mut left = self.files.bytes();
        if left <= room {
            return Ok(());
        }
        for (_, size, path) in oldest_first(&self.folder)? {
            if left <= room {
                break;
            }
            std::fs::remove_file(path)?;
            left = left.saturating_sub(size);
        }
        if bytes as u64 > self.budget_bytes { Err(io::ErrorKind::QuotaExceeded.into()) } else { Ok(()) }
    }
}

fn oldest_first(folder: &Path) -> io::Result<Vec<(SystemTime, u64, PathBuf)>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let about = entry.metadata()?;
        if about.is_file() {
            files.push((about.modified()?, about.len(), entry.path()));
        }
    }
    files.sort_unstable();
    Ok(files)
}

impl WritePermit {
    fn holds(&self) -> bool {
        let fences = self.fences.lock();
        let now = fences.by_id.get(&self.id).map(|fence| (fence.erasures, fences.removals));
        self.at.is_some() && self.at == now
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
