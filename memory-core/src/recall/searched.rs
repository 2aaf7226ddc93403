//! Result of the searches of a recall, over all partitions.

use std::collections::HashMap;

use crate::domain::id::{MemoryId, PartitionId};
use crate::domain::memory::Memory;
use crate::index::{Candidate, Exactness};

/// Candidates of all partitions together.
pub(crate) struct Searched {
    pub(crate) candidates: Vec<(PartitionId, Candidate)>,
    pub(super) partitions: u32,
    /// Number of partitions that were not searched by the deadline.
    pub(super) partitions_late: u32,
    pub(crate) memories: u64,
    pub(crate) exactness: Exactness,
    /// Versions at the record time of the candidates that were revised since.
    pub(super) versions: HashMap<MemoryId, Memory>,
    pub(super) versions_left_out: bool,
}

impl Default for Searched {
    fn default() -> Self {
        Self {
            candidates: Vec::new(),
            partitions: 0,
            partitions_late: 0,
            memories: 0,
            exactness: Exactness::Exact,
            versions: HashMap::new(),
            versions_left_out: false,
        }
    }
}
