//! Shape of a curve over time: its values at evenly spaced moments, and a trace as it was at one of them.

use super::{Curve, Trace};
use crate::domain::memory::Strength;
use crate::domain::time::Timestamp;
use crate::domain::uses::Uses;

/// Point of a curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Moment.
    pub at: Timestamp,
    /// R at it.
    pub retention: f64,
}

/// R at `count` moments from `from` to `to`, evenly spaced to the microsecond, both ends included; `from` alone for a count of 1.
pub fn points(
    curve: &dyn Curve,
    trace: &Trace<'_>,
    (from, to): (Timestamp, Timestamp),
    count: u32,
) -> Vec<Point> {
    let span_us = i128::from(to.as_micros()) - i128::from(from.as_micros());
    let steps = i128::from(count.saturating_sub(1)).max(1);
    let moments = (0..i128::from(count)).map(|step| {
        let by_us = i64::try_from(span_us * step / steps).unwrap_or(i64::MAX);
        from.plus_micros(by_us)
    });
    moments.map(|at| Point { at, retention: curve.retention(trace, at) }).collect()
}

/// Strength as it was at `now`: without the uses after it.
#[must_use]
pub fn as_of(strength: &Strength, now: Timestamp) -> Strength {
    let uses = &strength.uses;
    let uses = Uses::new(uses.earlier_until(now), uses.until(now).to_vec()).unwrap_or_default();
    Strength { uses, ..strength.clone() }
}

#[cfg(test)]
mod tests {
    use super::super::CurveId;
    use super::*;
    use crate::domain::uses::{Use, UseKind};

    const LEARNED: Timestamp = Timestamp::from_micros(1_709_294_400_000_000);

    #[test]
    fn points_are_evenly_spaced_with_both_ends() {
        let strength = Strength::new(0.5, 1.0, LEARNED);
        let (from, to) = (LEARNED, LEARNED.plus_micros(10));
        let at = |count| {
            let points = points(CurveId::MemoryBankPaper.curve(), &Trace::of(&strength), (from, to), count);
            points.iter().map(|point| point.at.as_micros() - from.as_micros()).collect::<Vec<_>>()
        };
        assert_eq!(
            (at(2), at(3), at(4), at(1), at(0)),
            (vec![0, 10], vec![0, 5, 10], vec![0, 3, 6, 10], vec![0], vec![])
        );
        let whole =
            points(CurveId::ActR.curve(), &Trace::of(&strength), (Timestamp::MIN, Timestamp::MAX), 512);
        assert_eq!((whole.first().unwrap().at, whole.last().unwrap().at), (Timestamp::MIN, Timestamp::MAX));
        assert!(whole.iter().all(|point| (0.0..=1.0).contains(&point.retention)));
    }

    #[test]
    fn a_strength_of_the_past_has_no_later_uses() {
        let mut strength = Strength::new(0.5, 1.0, LEARNED);
        for days in 1..=100 {
            strength.uses.record(Use { at: LEARNED.plus_days(days), kind: UseKind::Cited }, 0);
        }
        for curve in CurveId::ALL {
            for days in [0, 36, 37, 50, 100, 200] {
                let now = LEARNED.plus_days(days);
                let (then, whole) = (as_of(&strength, now), curve.retention(&Trace::of(&strength), now));
                let then = curve.retention(&Trace::of(&then), now);
                assert!((then - whole).abs() < 1e-12, "{curve:?} after {days} days: {then} and {whole}");
            }
        }
        assert_eq!(as_of(&strength, LEARNED.plus_days(50)).uses.count(), 50);
        assert_eq!(as_of(&strength, LEARNED.plus_days(10)).uses, Uses::NONE);
    }
}
