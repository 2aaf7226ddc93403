//! The note on a memory's validity in its line of the context block, pure: a reader of a fact needs to know since when
//! and until when it held, above all of one that no longer does.

use crate::domain::link::is_superseded;
use crate::domain::memory::Memory;
use crate::domain::time::Timestamp;
use crate::domain::zone::Zone;

/// For whom the context block is written.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    /// Valid time: what ended by then is marked.
    pub(super) valid_at: Timestamp,
    /// Zone of the days of memories whose time has no offset of its own.
    pub(super) zone: Zone,
}

impl Reader {
    /// Zone in which the days of a memory are counted.
    pub(super) fn zone_of(&self, memory: &Memory) -> Zone {
        self.zone.or_own(memory.happened.offset)
    }
}

/// Note such as `(since 2023-05-07)` or `(until 2023-06-01, superseded)`; empty if the day in the heading says all.
/// `is_dated` for a date in any case: that of the validity, else that of the event.
pub(super) fn validity_note(memory: &Memory, reader: &Reader, is_dated: bool) -> String {
    let (valid_at, zone) = (reader.valid_at, reader.zone_of(memory));
    let day = |at: Timestamp| zone.date(at);
    let is_in_heading = |start: Timestamp| day(start) == day(memory.happened.at) && !is_dated;
    let period = match (memory.valid.start, memory.valid.end) {
        (Some(start), Some(end)) => format!("from {} until {}", day(start), day(end)),
        (None, Some(end)) => format!("until {}", day(end)),
        (Some(start), None) if is_in_heading(start) => return String::new(),
        (Some(start), None) if start > valid_at => format!("from {}", day(start)),
        (Some(start), None) => format!("since {}", day(start)),
        (None, None) if is_dated => format!("as of {}", day(memory.happened.at)),
        (None, None) => return String::new(),
    };
    let has_ended = memory.valid.end.is_some_and(|end| end <= valid_at);
    match (has_ended, is_superseded(&memory.links)) {
        (true, true) => format!("({period}, superseded)"),
        (true, false) => format!("({period}, ended)"),
        (false, _) => format!("({period})"),
    }
}
