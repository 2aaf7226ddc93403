//! Days whose digests are due, pure: a day is over by the clock, or has many turns that wait.

use std::collections::BTreeMap;

use jiff::civil::Date;

use crate::domain::id::MemoryId;
use crate::domain::memory::Memory;
use crate::domain::time::Timestamp;
use crate::domain::zone::Zone;

/// Number of waiting turns from which the digest of a day is made before the day is over.
pub(super) const TURNS_BEFORE_THE_END: usize = 32;

/// Local day of a memory: of the offset that its time was given with, else of `zone`.
pub(in crate::think) fn date_of(memory: &Memory, zone: &Zone) -> Date {
    zone.or_own(memory.happened.offset).date(memory.happened.at)
}

/// Turns that wait, by their local day.
pub(super) fn waiting<'a>(
    turns: impl IntoIterator<Item = &'a Memory>,
    zone: &Zone,
) -> BTreeMap<Date, Vec<&'a Memory>> {
    let mut days: BTreeMap<Date, Vec<&Memory>> = BTreeMap::new();
    for turn in turns {
        days.entry(date_of(turn, zone)).or_default().push(turn);
    }
    days
}

/// True if the digest of a day is due, of which these turns wait.
///
/// A day beyond tomorrow is no present day of anybody: its turns come from a wrong clock, and do not wait for years.
pub(super) fn is_due(date: Date, turns: &[&Memory], zone: &Zone, now: Timestamp) -> bool {
    let is_present = |turn: &&Memory| {
        let today = zone.or_own(turn.happened.offset).date(now);
        date == today || today.tomorrow().is_ok_and(|tomorrow| date == tomorrow)
    };
    turns.len() >= TURNS_BEFORE_THE_END || !turns.iter().any(is_present)
}

/// Memories of these turns.
pub(super) fn ids(turns: &[&Memory]) -> Vec<MemoryId> {
    turns.iter().map(|turn| turn.id).collect()
}
