//! Extent of the values that rules of visibility compare: whether a rule can hide anything is known without a look at a
//! column.

use super::bitmap::Bitmap;
use crate::domain::memory::{Kind, Memory, Visibility};
use crate::domain::time::Timestamp;
use crate::index::ValidTime;

/// Bounds of the values that rules compare, in microseconds, over all memories that were ever put, and bitmaps of two
/// fields that filters do not test.
#[derive(Debug)]
pub(super) struct Extent {
    earliest_expiry: i64,
    earliest_end: i64,
    /// Latest start of validity, and latest time of a turn.
    latest_begin: i64,
    latest_record: i64,
    pub(super) shared: Bitmap,
    /// Memories with an audience; empty while no memory has one.
    pub(super) confided: Bitmap,
    len: usize,
}

/// The times of a memory that rules compare, in microseconds.
pub(super) struct ExtentTimes {
    pub(super) expires: Option<i64>,
    pub(super) begins: Option<i64>,
    pub(super) ends: Option<i64>,
    /// The time of the event, for a turn.
    pub(super) said: Option<i64>,
    /// The later of the times of creation and of the present version.
    pub(super) recorded: i64,
}

impl Default for Extent {
    fn default() -> Self {
        Self {
            earliest_expiry: i64::MAX,
            earliest_end: i64::MAX,
            latest_begin: i64::MIN,
            latest_record: i64::MIN,
            shared: Bitmap::default(),
            confided: Bitmap::default(),
            len: 0,
        }
    }
}

impl Extent {
    /// The extent of the memories with these bitmaps, before their [times](Self::put_times) are taken into account.
    pub(super) fn of(shared: Bitmap, confided: Bitmap, len: usize) -> Self {
        Self { shared, confided, len, ..Self::default() }
    }

    /// Takes the times of a memory into account.
    pub(super) fn put_times(&mut self, times: &ExtentTimes) {
        self.earliest_expiry = self.earliest_expiry.min(times.expires.unwrap_or(i64::MAX));
        self.earliest_end = self.earliest_end.min(times.ends.unwrap_or(i64::MAX));
        self.latest_begin = self.latest_begin.max(times.begins.unwrap_or(i64::MIN));
        self.latest_begin = self.latest_begin.max(times.said.unwrap_or(i64::MIN));
        self.latest_record = self.latest_record.max(times.recorded);
    }

    /// Takes the next ordinal's memory into account.
    pub(super) fn put(&mut self, memory: &Memory) {
        let micros = |at: Option<Timestamp>| at.map(Timestamp::as_micros);
        self.put_times(&ExtentTimes {
            expires: micros(memory.expires_at),
            begins: micros(memory.valid.start),
            ends: micros(memory.valid.end),
            said: micros((memory.kind == Kind::Turn).then_some(memory.happened.at)),
            recorded: memory.recorded_at.max(memory.created_at).as_micros(),
        });
        self.shared.push(memory.visibility == Visibility::Shared);
        if !memory.audience.is_empty() && !self.has_audience() {
            self.confided = Bitmap::none(self.len);
        }
        if !memory.audience.is_empty() || self.has_audience() {
            self.confided.push(!memory.audience.is_empty());
        }
        self.len += 1;
    }

    /// Approximate heap size in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.shared.bytes() + self.confided.bytes()
    }

    pub(super) fn has_audience(&self) -> bool {
        self.confided != Bitmap::default()
    }

    pub(super) fn has_expired(&self, now: Timestamp) -> bool {
        self.earliest_expiry <= now.as_micros()
    }

    pub(super) fn has_invalid(&self, valid: &ValidTime) -> bool {
        let at = valid.at.as_micros();
        valid.hides_ended && self.earliest_end <= at || valid.hides_later && self.latest_begin > at
    }

    pub(super) fn has_later(&self, known_at: Timestamp) -> bool {
        self.latest_record > known_at.as_micros()
    }
}
