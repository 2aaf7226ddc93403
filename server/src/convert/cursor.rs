//! Pagination cursors: the position after a page, as an opaque string.
//!
//! A letter distinguishes the lists, so that one refuses the cursor of another; the rest is the position in hex.

use memory_core::domain::id::{GrantEventId, GrantId, JobId, MemoryId, PartitionId};
use memory_core::domain::time::Timestamp;
use memory_core::error::Error;
use memory_core::store::ForgottenPlace;
use uuid::Uuid;

/// Parses the parameter `cursor`, if present.
pub(crate) fn read<T>(text: Option<&str>, reader: fn(&str) -> Option<T>) -> Result<Option<T>, Error> {
    let Some(text) = text else {
        return Ok(None);
    };
    let place = reader(text);
    place.map(Some).ok_or_else(|| Error::invalid("cursor", "must be the next_cursor of the page before"))
}

/// Cursor after this memory.
pub(crate) fn of_memory(last: MemoryId) -> String {
    format!("m{}", last.0.simple())
}

/// Parses a cursor of [`of_memory`].
pub(crate) fn memory(text: &str) -> Option<MemoryId> {
    let hex = text.strip_prefix('m').filter(|hex| is_hex(hex, 32))?;
    Uuid::try_parse(hex).ok().map(MemoryId)
}

/// Cursor after this place in a list of forgotten memories.
pub(crate) fn of_forgotten(last: ForgottenPlace) -> String {
    format!("f{:016x}{}", last.recorded_at.as_micros(), last.memory.0.simple())
}

/// Parses a cursor of [`of_forgotten`].
pub(crate) fn forgotten(text: &str) -> Option<ForgottenPlace> {
    let hex = text.strip_prefix('f').filter(|hex| is_hex(hex, 48))?;
    let (time, id) = hex.split_at_checked(16)?;
    let recorded_at = Timestamp::from_micros(u64::from_str_radix(time, 16).ok()?.cast_signed());
    Some(ForgottenPlace { recorded_at, memory: MemoryId(Uuid::try_parse(id).ok()?) })
}

/// Cursor after this owner. The number is internal to this server.
pub(crate) fn of_owner(last: PartitionId) -> String {
    format!("o{:016x}", last.0)
}

/// Parses a cursor of [`of_owner`].
pub(crate) fn owner(text: &str) -> Option<PartitionId> {
    let hex = text.strip_prefix('o').filter(|hex| is_hex(hex, 16))?;
    u64::from_str_radix(hex, 16).ok().map(|bits| PartitionId(bits.cast_signed()))
}

/// After this job, from the newest on.
pub(crate) fn of_job(last: JobId) -> String {
    format!("j{}", last.0.simple())
}

/// See [`of_job`].
pub(crate) fn job(text: &str) -> Option<JobId> {
    let hex = text.strip_prefix('j').filter(|hex| is_hex(hex, 32))?;
    Uuid::try_parse(hex).ok().map(JobId)
}

/// Cursor after this grant.
pub(crate) fn of_grant(last: GrantId) -> String {
    format!("g{}", last.0.simple())
}

/// Parses a cursor of [`of_grant`].
pub(crate) fn grant(text: &str) -> Option<GrantId> {
    let hex = text.strip_prefix('g').filter(|hex| is_hex(hex, 32))?;
    Uuid::try_parse(hex).ok().map(GrantId)
}

/// Cursor after this entry of an audit log, from the newest on.
pub(crate) fn of_grant_event(last: GrantEventId) -> String {
    format!("e{}", last.0.simple())
}

/// Parses a cursor of [`of_grant_event`].
pub(crate) fn grant_event(text: &str) -> Option<GrantEventId> {
    let hex = text.strip_prefix('e').filter(|hex| is_hex(hex, 32))?;
    Uuid::try_parse(hex).ok().map(GrantEventId)
}

/// Cursor from this position in a session, or among sessions.
pub(crate) fn of_place(next: u32) -> String {
    format!("p{next:08x}")
}

/// Parses a cursor of [`of_place`].
pub(crate) fn place(text: &str) -> Option<u32> {
    let hex = text.strip_prefix('p').filter(|hex| is_hex(hex, 8))?;
    u32::from_str_radix(hex, 16).ok()
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cursor_is_parsed_to_its_position(id in any::<u128>(), number in any::<i64>(), next in any::<u32>()) {
            let id = MemoryId(Uuid::from_u128(id));
            prop_assert_eq!(memory(&of_memory(id)), Some(id));
            prop_assert_eq!(job(&of_job(JobId(id.0))), Some(JobId(id.0)));
            prop_assert_eq!(grant(&of_grant(GrantId(id.0))), Some(GrantId(id.0)));
            prop_assert_eq!(grant_event(&of_grant_event(GrantEventId(id.0))), Some(GrantEventId(id.0)));
            prop_assert_eq!(owner(&of_owner(PartitionId(number))), Some(PartitionId(number)));
            prop_assert_eq!(place(&of_place(next)), Some(next));
        }

        #[test]
        fn any_other_text_is_refused(text in "\\PC{0,40}") {
            if let Some(id) = memory(&text) {
                prop_assert_eq!(of_memory(id).to_lowercase(), text.to_lowercase());
            }
            prop_assert!(place(&text).is_none_or(|next| of_place(next).eq_ignore_ascii_case(&text)));
        }
    }

    #[test]
    fn the_cursor_of_one_list_is_refused_by_another() {
        let error = read(Some(&of_place(7)), memory).expect_err("of another list");
        assert!(error.to_string().starts_with("cursor: "));
        assert_eq!(read(Some("p+0000007"), place).ok(), None);
    }
}
