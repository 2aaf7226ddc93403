//! The notes on a memory in its line of the context block, pure: whose it is, if it was read through a grant; and since when
//! and until when it held, above all of one that no longer does.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::response::GrantedBy;
use crate::domain::id::MemoryId;
use crate::domain::link::is_superseded;
use crate::domain::memory::Memory;
use crate::domain::time::Timestamp;
use crate::domain::zone::Zone;

/// For whom the context block is written.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    /// Valid time: what ended by then is marked.
    pub(crate) valid_at: Timestamp,
    /// Zone of the days of memories whose time has no offset of its own.
    pub(crate) zone: Zone,
    /// Grants of memories that were read through grants: their lines say whose they are.
    pub(crate) granted: BTreeMap<MemoryId, GrantedBy>,
}

impl Reader {
    /// Zone in which the days of a memory are counted.
    pub(crate) fn zone_of(&self, memory: &Memory) -> Zone {
        self.zone.or_own(memory.happened.offset)
    }

    /// Day of a bound of a memory's validity, which has no offset of its own. A bare date is the beginning of a day: in the
    /// zone of the owner, or of the speaker where thinking read it. The offset of the event does not hold all year.
    fn day_of_bound(&self, memory: &Memory, at: Timestamp) -> Date {
        let own = self.zone_of(memory);
        let (of_own, of_reader) = (own.date(at), self.zone.date(at));
        let begins = |zone: &Zone, day: Date| zone.start_of(day) == Some(at);
        if !begins(&own, of_own) && begins(&self.zone, of_reader) { of_reader } else { of_own }
    }
}

/// Notes of a line: the owner of a memory that was read through a grant, such as `[from user ann]`, and its validity.
pub(super) fn note(memory: &Memory, reader: &Reader, is_dated: bool) -> String {
    let validity = validity_note(memory, reader, is_dated);
    let Some(GrantedBy { owner, .. }) = reader.granted.get(&memory.id) else { return validity };
    let blank = if validity.is_empty() { "" } else { " " };
    format!("[from {} {}]{blank}{validity}", owner.kind.as_str(), owner.id.on_one_line())
}

/// Note such as `(since 2023-05-07)` or `(until 2023-06-01, superseded)`; empty if the day in the heading says all.
/// `is_dated` for a date in any case: that of the validity, else that of the event.
fn validity_note(memory: &Memory, reader: &Reader, is_dated: bool) -> String {
    let valid_at = reader.valid_at;
    let day = |at: Timestamp| reader.day_of_bound(memory, at);
    let happened = reader.zone_of(memory).date(memory.happened.at);
    let is_in_heading = |start: Timestamp| day(start) == happened && !is_dated;
    let period = match (memory.valid.start, memory.valid.end) {
        (Some(start), Some(end)) => format!("from {} until {}", day(start), day(end)),
        (None, Some(end)) => format!("until {}", day(end)),
        (Some(start), None) if is_in_heading(start) => return String::new(),
        (Some(start), None) if start > valid_at => format!("from {}", day(start)),
        (Some(start), None) => format!("since {}", day(start)),
        (None, None) if is_dated => format!("as of {happened}"),
        (None, None) => return String::new(),
    };
    let has_ended = memory.valid.end.is_some_and(|end| end <= valid_at);
    match (has_ended, is_superseded(&memory.links)) {
        (true, true) => format!("({period}, superseded)"),
        (true, false) => format!("({period}, ended)"),
        (false, _) => format!("({period})"),
    }
}
