//! Forgetting proper: when a memory counts as forgotten.
//!
//! The rule in use compares R with a threshold u that is fixed for each memory. With u uniform on (0, 1), a memory is
//! remembered at an instant with probability R, as MemoryBank's random draw means it, but the answer is a function of memory and
//! instant alone: how often one looks changes nothing, and it can be previewed and repeated (ADR 0048). The draws of the paper
//! are a rule for comparisons, repeatable as well: a draw is a function of memory and check (ADR 0054).

use xxhash_rust::xxh3::xxh3_64;

use super::{Curve, Fall, Trace};
use crate::domain::id::MemoryId;
use crate::domain::time::Timestamp;

/// Growth of the interval around an estimate in which [`forgotten_at`] looks.
const WIDENING: i64 = 64;

/// Bytes of an id.
const ID_BYTES: usize = 16;
/// Bytes of an id and a moment.
const CHECK_BYTES: usize = ID_BYTES + 8;

/// Threshold u of a memory, uniform on the open interval from 0 to 1: the upper 52 bits x of XXH3-64 (seed 0) over the 16 bytes
/// of its id, as (x + 1/2) / 2^52. Never 0, so that every curve that tends to 0 falls below it.
pub fn threshold(memory: MemoryId) -> f64 {
    fraction(xxh3_64(memory.0.as_bytes()))
}

/// Draw of a check of a memory as of a moment, uniform on the open interval from 0 to 1: as [`threshold`], over the 16 bytes of
/// its id and the 8 bytes, little-endian, of the moment in microseconds since 1970. So a check that is repeated as of the same
/// moment has the same draw.
pub fn draw(memory: MemoryId, at: Timestamp) -> f64 {
    let mut bytes = [0; CHECK_BYTES];
    let (id, moment) = bytes.split_at_mut(ID_BYTES);
    id.copy_from_slice(memory.0.as_bytes());
    moment.copy_from_slice(&at.as_micros().to_le_bytes());
    fraction(xxh3_64(&bytes))
}

#[expect(clippy::cast_precision_loss, reason = "52 bits and a half are exact in a double")]
fn fraction(hash: u64) -> f64 {
    ((hash >> 12) as f64 + 0.5) / (1u64 << 52) as f64
}

/// Instant from which R < u: the least microsecond not before the last event of the trace. `None` if R never falls below u
/// before [`Timestamp::MAX`], as for a pinned memory.
///
/// So for every `now` from the last event on, `forgotten_at <= now` is the same as `retention(now) < u`.
pub fn forgotten_at(curve: &dyn Curve, trace: &Trace<'_>, u: f64) -> Option<Timestamp> {
    if trace.pinned {
        return None;
    }
    let from = trace.last_event();
    let fall = curve.state(trace, from).fall;
    if fall.at(from) < u {
        return Some(from);
    }
    if fall.at(Timestamp::MAX) < u { Some(first_below(&fall, from, u)) } else { None }
}

/// The least microsecond at which the fall is below u, given that it is not at `from`, and is at [`Timestamp::MAX`].
fn first_below(fall: &Fall, from: Timestamp, u: f64) -> Timestamp {
    let (mut kept, mut gone) = (from, Timestamp::MAX);
    if let Some(about) = fall.about_when(u) {
        let mut step_us = 1;
        while kept.plus_micros(step_us) < gone {
            let (before, after) =
                (about.plus_micros(-step_us).max(kept), about.plus_micros(step_us).min(gone));
            if fall.at(before) >= u && fall.at(after) < u {
                (kept, gone) = (before, after);
                break;
            }
            step_us = step_us.saturating_mul(WIDENING);
        }
    }
    loop {
        let between_us = gone.as_micros().saturating_sub(kept.as_micros());
        if between_us <= 1 {
            return gone;
        }
        let middle = kept.plus_micros(between_us / 2);
        if fall.at(middle) < u {
            gone = middle;
        } else {
            kept = middle;
        }
    }
}
