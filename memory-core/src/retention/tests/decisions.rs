//! Decision rules under different numbers of checks: what does not depend on them, and what the released rule does.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::*;
use crate::domain::id::MemoryId;
use crate::retention::{Curve, CurveId, DecisionRule, threshold};

fn memory(number: u32) -> MemoryId {
    MemoryId(uuid::Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + u128::from(number)))
}

/// Draw of one check, uniform on (0, 1).
fn draw(number: u32, check: u32, seed: u64) -> f64 {
    let bits = xxh3_64_with_seed(&[number.to_le_bytes(), check.to_le_bytes()].concat(), seed);
    ((bits >> 12) as f64 + 0.5) / (1u64 << 52) as f64
}

/// Memories that are left after a week with a check every so many hours, by their numbers.
fn left(id: CurveId, rule: DecisionRule, every_hours: u32, memories: u32) -> Vec<u32> {
    let at = |check: u32| LEARNED.plus_micros(i64::from(check * every_hours) * HOUR_US);
    let trace = trace(Uses::none());
    let retentions: Vec<f64> = (0..=168 / every_hours).map(|check| id.retention(&trace, at(check))).collect();
    let survives = |number: &u32| {
        let u = threshold(memory(*number));
        (1..).zip(retentions.windows(2)).all(|(check, pair)| {
            let draw = if rule == DecisionRule::FixedThreshold {
                u
            } else {
                draw(*number, check, every_hours.into())
            };
            !rule.forgets(pair[1], pair[0], draw)
        })
    };
    (0..memories).filter(survives).collect()
}

fn share(id: CurveId, rule: DecisionRule, every_hours: u32, memories: u32) -> f64 {
    left(id, rule, every_hours, memories).len() as f64 / f64::from(memories)
}

#[test]
fn hourly_daily_and_weekly_checks_forget_the_same_set() {
    for id in CurveId::ALL {
        let weekly = left(id, DecisionRule::FixedThreshold, 168, 5_000);
        assert_eq!(left(id, DecisionRule::FixedThreshold, 24, 5_000), weekly, "{}", id.name());
        assert_eq!(left(id, DecisionRule::FixedThreshold, 1, 5_000), weekly, "{}", id.name());
        let retention = id.retention(&trace(Uses::none()), after_days(7.0));
        assert_near(weekly.len() as f64 / 5_000.0, retention, 0.02, id.name());
    }
}

#[test]
fn conditional_draws_leave_the_same_share_at_any_frequency() {
    for id in [CurveId::MemoryBankIntended, CurveId::Fsrs6] {
        let retention = id.retention(&trace(Uses::none()), after_days(7.0));
        for every_hours in [1, 24, 168] {
            let share = share(id, DecisionRule::ConditionalDraw, every_hours, 20_000);
            assert_near(share, retention, 0.012, &format!("{} every {every_hours} h", id.name()));
        }
    }
}

/// A known fault of the released code: who logs in more often forgets more.
#[test]
fn fresh_draws_forget_more_the_more_often_one_checks() {
    let released = CurveId::MemoryBankAsReleased;
    assert_near(share(released, DecisionRule::FreshDraw, 24, 200_000), 0.0037, 5e-4, "daily, drawn");
    assert_near(share(released, DecisionRule::FreshDraw, 168, 50_000), 0.247, 8e-3, "weekly, drawn");
    let survival = |id: CurveId, days: &[f64]| -> f64 {
        days.iter().map(|day| id.retention(&trace(Uses::none()), after_days(*day))).product()
    };
    let daily = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0];
    assert_near(survival(released, &daily), 3.7e-3, 5e-5, "released, daily");
    assert_near(survival(released, &[7.0]), 0.247, 5e-4, "released, once");
    assert_near(survival(CurveId::MemoryBankPaper, &daily), 6.9e-13, 5e-15, "paper, daily");
    assert_near(survival(CurveId::MemoryBankPaper, &[7.0]), 9.1e-4, 5e-6, "paper, once");
}

#[test]
fn a_use_saves_from_the_conditional_draw() {
    assert!(!DecisionRule::ConditionalDraw.forgets(0.9, 0.4, 0.999_999));
    assert!(
        DecisionRule::ConditionalDraw.forgets(0.2, 0.4, 0.6)
            && !DecisionRule::ConditionalDraw.forgets(0.2, 0.4, 0.4)
    );
}
