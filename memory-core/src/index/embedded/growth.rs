//! Growth of partitions beyond their segments: which segments are to be written anew, and when.
//!
//! A segment is written once its partition has been quiet, or has grown by a share of itself: all the writings of a growing
//! partition together are then a small multiple of its size, and a load after a kill has a short log to replay.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;

use crate::domain::id::PartitionId;

/// Interval at which growth is looked at. A partition without a commit for so long is quiet.
pub(super) const TICK: Duration = Duration::from_secs(2);
/// Changes from which on a segment is written anew: replaying fewer takes some tens of milliseconds.
const MIN_CHANGES: u64 = 1_024;
/// Share of the rows by which a busy partition grows before its segment is written anew: one in so many.
const BUSY_SHARE: u64 = 8;
/// Partitions whose growth is known at most. The segments of others are written by the loads that find them short.
const MAX_PARTITIONS: usize = 4_096;

/// Growth of partitions.
#[derive(Debug, Default)]
pub(super) struct Growth(Mutex<HashMap<PartitionId, Grown>>);

#[derive(Clone, Copy, Debug, Default)]
struct Grown {
    /// Number of the change log that the segment has; at first the one before the first commit that was seen.
    segment_seq: u64,
    last_seq: u64,
    /// Rows of the segment.
    rows: u64,
    /// True if a commit came since the last look.
    is_busy: bool,
}

impl Grown {
    fn changes(&self) -> u64 {
        self.last_seq.saturating_sub(self.segment_seq)
    }

    fn is_due(&self) -> bool {
        self.changes() >= MIN_CHANGES && (!self.is_busy || self.changes() >= self.rows / BUSY_SHARE)
    }
}

impl Growth {
    /// A commit from one number of the partition's change log to another.
    pub(super) fn committed(&self, id: PartitionId, seq_before: u64, seq_after: u64) {
        let mut grown = self.0.lock();
        if grown.len() >= MAX_PARTITIONS && !grown.contains_key(&id) {
            grown.retain(|_, grown| grown.changes() > 0);
            if grown.len() >= MAX_PARTITIONS {
                return;
            }
        }
        let grown = grown.entry(id).or_insert(Grown { segment_seq: seq_before, ..Grown::default() });
        grown.last_seq = grown.last_seq.max(seq_after);
        grown.is_busy = true;
    }

    /// The partition has, or needs, a segment of this number and so many rows; the store is at `last_seq`.
    pub(super) fn has_segment(&self, id: PartitionId, segment_seq: u64, last_seq: u64, rows: usize) {
        let mut grown = self.0.lock();
        let is_known = grown.contains_key(&id);
        if !is_known && (segment_seq >= last_seq || grown.len() >= MAX_PARTITIONS) {
            return;
        }
        let grown = grown.entry(id).or_default();
        grown.segment_seq = segment_seq;
        grown.last_seq = grown.last_seq.max(last_seq);
        grown.rows = u64::try_from(rows).unwrap_or(u64::MAX);
    }

    /// The segments that are to be written anew now. To be called every [`TICK`].
    pub(super) fn due(&self) -> Vec<PartitionId> {
        let mut grown = self.0.lock();
        let due = grown.iter().filter(|(_, grown)| grown.is_due()).map(|(id, _)| *id).collect();
        grown.values_mut().for_each(|grown| grown.is_busy = false);
        due
    }

    /// Forgets a partition until its next commit, since its segment cannot be written or needs none.
    pub(super) fn forget(&self, id: PartitionId) {
        self.0.lock().remove(&id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: PartitionId = PartitionId(1);

    #[test]
    fn a_partition_is_due_when_it_is_quiet_or_has_grown_by_a_share() {
        let growth = Growth::default();
        growth.committed(ID, 0, 40_000);
        assert_eq!(growth.due(), [ID], "without a segment");
        growth.has_segment(ID, 40_000, 40_000, 40_000);
        assert_eq!(growth.due(), []);
        growth.committed(ID, 40_000, 42_000);
        assert_eq!(growth.due(), [], "busy");
        assert_eq!(growth.due(), [ID], "quiet");
        growth.committed(ID, 42_000, 45_000);
        assert_eq!(growth.due(), [ID], "grown by an eighth");
        growth.has_segment(ID, 45_000, 45_000, 45_000);
        growth.committed(ID, 45_000, 45_100);
        assert_eq!((growth.due(), growth.due()), (vec![], vec![]), "a few changes");
    }

    #[test]
    fn the_partitions_that_are_known_are_bounded() {
        let growth = Growth::default();
        for id in 0..10_000 {
            growth.committed(PartitionId(id), 0, 1);
        }
        assert!(growth.0.lock().len() <= MAX_PARTITIONS);
    }
}
