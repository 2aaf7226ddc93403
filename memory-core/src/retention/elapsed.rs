//! Time in days as curves reckon with it: fractional, and 0 where a clock ran backwards.

use crate::domain::time::Timestamp;

pub(super) const MICROS_PER_DAY: f64 = 86_400_000_000.0;

/// Fractional days from `from` to `to`, 0 if `to` is earlier.
#[expect(
    clippy::cast_precision_loss,
    reason = "a difference of moments is below 2^59 µs: the error is below 0.1 ms in 10,000 years"
)]
pub(super) fn days_between(from: Timestamp, to: Timestamp) -> f64 {
    to.as_micros().saturating_sub(from.as_micros()).max(0) as f64 / MICROS_PER_DAY
}

/// Number of midnights in UTC from `from` to `to`, 0 if `to` is earlier.
pub(super) fn midnights_between(from: Timestamp, to: Timestamp) -> f64 {
    i32::try_from(to.day().saturating_sub(from.day())).map_or(0.0, f64::from).max(0.0)
}

/// A moment so many days later, within the bounds of moments.
#[expect(clippy::cast_possible_truncation, reason = "`as` saturates, and so do moments")]
pub(super) fn plus_days(from: Timestamp, days: f64) -> Timestamp {
    from.plus_micros((days * MICROS_PER_DAY) as i64)
}
