//! Decision rules under different numbers of checks: what does not depend on them, and what the released rule does.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::*;
use crate::domain::id::MemoryId;
use crate::retention::{Curve, CurveId, Rule, draw, fresh_draw_forgets, threshold};

fn memory(number: u32) -> MemoryId {
    MemoryId(uuid::Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + u128::from(number)))
}

/// Draw of one check, uniform on (0, 1).
fn fresh_draw(number: u32, check: u32, seed: u64) -> f64 {
    let bits = xxh3_64_with_seed(&[number.to_le_bytes(), check.to_le_bytes()].concat(), seed);
    ((bits >> 12) as f64 + 0.5) / (1u64 << 52) as f64
}

/// How a check decides.
#[derive(Clone, Copy)]
enum Decision {
    By(Rule),
    /// As the released code.
    FreshDraw,
}

/// Memories that are left after a week with a check every so many hours, by their numbers.
fn left(id: CurveId, decision: Decision, every_hours: u32, memories: u32) -> Vec<u32> {
    let at = |check: u32| LEARNED.plus_micros(i64::from(check * every_hours) * HOUR_US);
    let trace = trace(Uses::none());
    let retentions: Vec<f64> = (0..=168 / every_hours).map(|check| id.retention(&trace, at(check))).collect();
    let survives = |number: &u32| {
        let memory = memory(*number);
        (1..).zip(retentions.windows(2)).all(|(check, pair)| match decision {
            Decision::By(rule @ Rule::ConditionalDraw) => {
                !rule.forgets(pair[1], pair[0], draw(memory, at(check)))
            }
            Decision::By(rule) => !rule.forgets(pair[1], pair[0], threshold(memory)),
            Decision::FreshDraw => {
                !fresh_draw_forgets(pair[1], fresh_draw(*number, check, every_hours.into()))
            }
        })
    };
    (0..memories).filter(survives).collect()
}

fn share(id: CurveId, decision: Decision, every_hours: u32, memories: u32) -> f64 {
    left(id, decision, every_hours, memories).len() as f64 / f64::from(memories)
}

#[test]
fn hourly_daily_and_weekly_checks_forget_the_same_set() {
    let fixed = Decision::By(Rule::FixedThreshold);
    for id in CurveId::ALL {
        let weekly = left(id, fixed, 168, 5_000);
        assert_eq!(left(id, fixed, 24, 5_000), weekly, "{}", id.name());
        assert_eq!(left(id, fixed, 1, 5_000), weekly, "{}", id.name());
        let retention = id.retention(&trace(Uses::none()), after_days(7.0));
        assert_near(weekly.len() as f64 / 5_000.0, retention, 0.02, id.name());
    }
}

/// Within four standard deviations of the binomial distribution. The ids are fixed, and with them the draws.
#[test]
fn conditional_draws_leave_the_same_share_at_any_frequency() {
    const MEMORIES: u32 = 20_000;
    for id in [CurveId::MemoryBankIntended, CurveId::Fsrs6, CurveId::Wixted] {
        let retention = id.retention(&trace(Uses::none()), after_days(7.0));
        let deviation = (retention * (1.0 - retention) / f64::from(MEMORIES)).sqrt();
        for every_hours in [1, 24, 168] {
            let share = share(id, Decision::By(Rule::ConditionalDraw), every_hours, MEMORIES);
            assert_near(share, retention, 4.0 * deviation, &format!("{} every {every_hours} h", id.name()));
        }
    }
}

#[test]
fn draws_of_one_memory_at_two_checks_and_of_two_memories_at_one_are_unrelated() {
    let at = |check: i64| LEARNED.plus_micros(check);
    let count = |is_low: &dyn Fn(u32) -> bool| (0..20_000).filter(|number| is_low(*number)).count() as f64;
    let both = count(&|number| draw(memory(number), at(0)) < 0.5 && draw(memory(number), at(1)) < 0.5);
    assert_near(both / 20_000.0, 0.25, 0.013, "two checks");
    let both = count(&|number| draw(memory(number), at(0)) < 0.5 && draw(memory(number + 1), at(0)) < 0.5);
    assert_near(both / 20_000.0, 0.25, 0.013, "two memories");
    assert_eq!(draw(memory(7), at(3)), draw(memory(7), at(3)));
}

/// A known fault of the released code: who logs in more often forgets more.
#[test]
fn fresh_draws_forget_more_the_more_often_one_checks() {
    let released = CurveId::MemoryBankAsReleased;
    assert_near(share(released, Decision::FreshDraw, 24, 200_000), 0.0037, 5e-4, "daily, drawn");
    assert_near(share(released, Decision::FreshDraw, 168, 50_000), 0.247, 8e-3, "weekly, drawn");
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
    let rule = Rule::ConditionalDraw;
    assert!(!rule.forgets(0.9, 0.4, 0.999_999));
    assert!(rule.forgets(0.2, 0.4, 0.6) && !rule.forgets(0.2, 0.4, 0.4));
}

/// Exponential curves reach 0 in a double after two years, where the quotient of two retentions is none.
#[test]
fn no_draw_survives_a_retention_of_zero() {
    assert!(Rule::ConditionalDraw.forgets(0.0, 0.0, 0.5) && Rule::ConditionalDraw.forgets(0.0, 5e-324, 0.1));
    assert!(!Rule::QuotaAlone.forgets(0.0, 1.0, 0.5));
}
