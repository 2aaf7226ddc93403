//! The instant of forgetting: exact with respect to retention, and thresholds that are uniform.

use proptest::prelude::*;

use super::*;
use crate::domain::id::MemoryId;
use crate::retention::{Curve, CurveId, forgotten_at, threshold};

fn memory(number: u128) -> MemoryId {
    MemoryId(uuid::Uuid::from_u128(number))
}

#[test]
fn thresholds_are_uniform_and_stay_the_same() {
    const MEMORIES: u32 = 100_000;
    const CELLS: usize = 100;
    let mut cells = [0u32; CELLS];
    for number in 0..MEMORIES {
        // Ids of one millisecond differ in few bits.
        let u = threshold(memory(0x0190_0000_0000_7000_8000_0000_0000_0000 + u128::from(number)));
        assert!(0.0 < u && u < 1.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the number of a cell")]
        let cell = (u * CELLS as f64) as usize;
        cells[cell] += 1;
    }
    let expected = f64::from(MEMORIES) / CELLS as f64;
    let chi_squared: f64 = cells.iter().map(|count| (f64::from(*count) - expected).powi(2) / expected).sum();
    assert!((55.0..155.0).contains(&chi_squared), "99 degrees of freedom: {chi_squared}");
    // Another hash would forget other memories.
    for (number, expected) in
        [(0, 0.815_039_300_773_898_9), (1, 0.255_161_378_407_015_6), (2, 0.046_918_067_558_640_81)]
    {
        assert_eq!(threshold(memory(number)), expected);
    }
}

#[test]
fn a_memory_is_forgotten_when_its_curve_reaches_its_threshold() {
    let trace = trace(Uses::none());
    let days = |id: CurveId, u| {
        forgotten_at(&id, &trace, u).map(|at| (at.as_micros() - LEARNED.as_micros()) as f64 / DAY_US as f64)
    };
    assert_near(days(CurveId::MemoryBankPaper, (-3.0f64).exp()).unwrap(), 3.0, 1e-9, "paper");
    assert_near(days(CurveId::Hlr, 0.125).unwrap(), 3.0, 1e-9, "half-lives");
    assert_near(days(CurveId::Fsrs6, 0.9).unwrap(), 2.3065, 1e-9, "stability");
    assert_near(days(CurveId::ActR, 0.5).unwrap(), 30.0, 1e-9, "even chance");
    assert_eq!(days(CurveId::MemoryBankAsReleased, 0.8), Some(2.0), "from a midnight on");
    assert_eq!(days(CurveId::None, 0.999), None);
    for id in CurveId::ALL {
        let pinned = Trace { pinned: true, ..trace };
        assert_eq!(forgotten_at(&id, &pinned, 0.999), None, "{}", id.name());
        assert_eq!(
            (days(id, 0.0), days(id, f64::NAN), days(id, 1.5)),
            (None, None, Some(0.0)),
            "{}",
            id.name()
        );
    }
}

proptest! {
    #[test]
    fn forgotten_at_is_the_first_instant_with_retention_below_the_threshold(
        id in proptest::sample::select(CurveId::ALL.to_vec()),
        days in proptest::collection::vec((0.0f64..400.0, proptest::sample::select(UseKind::ALL.to_vec())), 0..8),
        strength in 0.01f64..1_000.0, importance in 0.0f64..1.0, u in 0.0f64..1.0, later_us in 0..40_000 * DAY_US,
    ) {
        let mut uses = Uses::NONE;
        let mut day = 0.0;
        for (gap, kind) in days {
            day += gap;
            uses.record(Use { at: after_days(day), kind }, 1);
        }
        let trace = Trace { initial_strength: strength, importance, ..trace(&uses) };
        let last = trace.last_event();
        let forgotten = forgotten_at(&id, &trace, u);
        let around = forgotten.map(|at| [at.plus_micros(-1), at, at.plus_micros(1)]);
        for now in around.into_iter().flatten().chain([last.plus_micros(later_us), last, Timestamp::MAX]) {
            if now >= last {
                let is_below = id.retention(&trace, now) < u;
                prop_assert_eq!(forgotten.is_some_and(|at| at <= now), is_below, "{} at {}", id.name(), now);
            }
        }
    }

    #[test]
    fn any_trace_has_an_instant_of_forgetting_or_none(
        id in proptest::sample::select(CurveId::ALL.to_vec()), learned in any::<i64>(), strength in any::<u64>(),
        u in any::<u64>(),
    ) {
        let (strength, u) = (f64::from_bits(strength), f64::from_bits(u));
        let trace =
            Trace { learned_at: Timestamp::from_micros(learned), initial_strength: strength, ..trace(Uses::none()) };
        if let Some(at) = forgotten_at(&id, &trace, u) {
            prop_assert!(at >= trace.learned_at && id.retention(&trace, at) < u);
        }
    }
}
