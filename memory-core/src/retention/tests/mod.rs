//! Tests of the forgetting curves: published vectors, the contract over all curves, agreement with the scan, forgetting,
//! initial strength.

mod contract;
mod decisions;
mod forgetting;
mod fsrs6_vectors;
mod surprise;
mod vectors;

use super::Trace;
use crate::domain::time::Timestamp;
use crate::domain::uses::{Use, UseKind, Uses};

const HOUR_US: i64 = 3_600_000_000;
const DAY_US: i64 = 24 * HOUR_US;

/// Midnight in UTC.
const LEARNED: Timestamp = Timestamp::from_micros(19_700 * DAY_US);

fn trace(uses: &Uses) -> Trace<'_> {
    Trace { learned_at: LEARNED, initial_strength: 1.0, importance: 0.5, uses, pinned: false }
}

/// A moment so many days after learning.
#[expect(clippy::cast_possible_truncation, reason = "tests name days of this century")]
fn after_days(days: f64) -> Timestamp {
    LEARNED.plus_micros((days * DAY_US as f64).round() as i64)
}

/// Uses of one kind at these days after learning.
fn used_at(days: &[f64], kind: UseKind) -> Uses {
    Uses::new(0, days.iter().map(|day| Use { at: after_days(*day), kind }).collect()).unwrap()
}

fn assert_near(found: f64, expected: f64, error: f64, what: &str) {
    assert!((found - expected).abs() <= error, "{what}: {found}, expected {expected}");
}
