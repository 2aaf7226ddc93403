//! Extent of a partition, by which an index sees that it has all of it.

/// Extent of a partition at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// Last number of the change log.
    pub last_seq: u64,
    /// Number of memories.
    pub memories: u64,
}
