//! Segment files: partitions on disk, each as it was at one number of the change log, read in bulk by the first query
//! after a start. Derived from the store like every index; a missing or damaged file costs time, not an answer.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::partition::Partition;
use crate::domain::id::PartitionId;
use crate::retention::Curve;

/// The inputs that a segment depends on besides the change log. Segments of another identity are removed unread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SegmentIdentity(u128);

impl SegmentIdentity {
    /// The identity of segments of this store, whose rows were made by `embedder` (its name and the recipe of its rows) with
    /// vectors of `dimension` components, and whose decay follows the curve of this name.
    pub(super) fn new(store: &str, embedder: &str, dimension: usize, curve: &str) -> Self {
        let parts = format!("{store:?} {embedder:?} {dimension} {curve:?}");
        Self(xxhash_rust::xxh3::xxh3_128(parts.as_bytes()))
    }
}

/// Segment files of partitions in one folder.
#[derive(Debug)]
pub(super) struct SegmentFiles {
    identity: SegmentIdentity,
}

impl SegmentFiles {
    pub(super) fn open(dir: &Path, identity: SegmentIdentity) -> io::Result<Self> {
        std::fs::create_dir_all(dir)?;
        Ok(Self { identity })
    }

    pub(super) fn read(&self, _id: PartitionId, _curve: Arc<dyn Curve>) -> Option<Partition> {
        None
    }

    pub(super) fn write(&self, _id: PartitionId, _partition: &Partition) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn remove(&self, _id: PartitionId) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn remove_all(&self) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn bytes(&self) -> u64 {
        0
    }
}
