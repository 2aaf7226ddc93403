//! The contract of `Curve`, over all curves and over numbers of every size; and agreement of the scan with the curves.

use proptest::prelude::*;

use super::*;
use crate::domain::uses::MAX_USES;
use crate::retention::{Curve, CurveId};

/// Rounding, in R.
const ROUNDING: f64 = 1e-12;

fn moment() -> impl Strategy<Value = Timestamp> {
    let ordinary = (0..4_000 * DAY_US).prop_map(|after| LEARNED.plus_micros(after - 400 * DAY_US));
    prop_oneof![
        6 => ordinary,
        1 => any::<i64>().prop_map(Timestamp::from_micros),
        1 => proptest::sample::select(vec![Timestamp::MIN, Timestamp::MAX, LEARNED]),
    ]
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![0.0..1.0, 0.0..100.0, any::<u64>().prop_map(f64::from_bits)]
}

fn kind() -> impl Strategy<Value = UseKind> {
    proptest::sample::select(UseKind::ALL.to_vec())
}

fn uses(most: usize) -> impl Strategy<Value = Uses> {
    proptest::collection::vec((moment(), kind()), 0..most).prop_map(|mut recorded| {
        recorded.sort_by_key(|one| one.0);
        let mut uses = Uses::NONE;
        for (at, kind) in recorded {
            uses.record(Use { at, kind }, 0);
        }
        uses
    })
}

fn curve() -> impl Strategy<Value = CurveId> {
    proptest::sample::select(CurveId::ALL.to_vec())
}

prop_compose! {
    fn any_trace(most: usize)(
        learned_at in moment(), initial_strength in number(), importance in number(), uses in uses(most),
    ) -> (Timestamp, f64, f64, Uses) {
        (learned_at, initial_strength, importance, uses)
    }
}

fn as_trace((learned_at, initial_strength, importance, uses): &(Timestamp, f64, f64, Uses)) -> Trace<'_> {
    Trace {
        learned_at: *learned_at,
        initial_strength: *initial_strength,
        importance: *importance,
        uses,
        pinned: false,
    }
}

proptest! {
    #[test]
    fn retention_is_a_share_that_is_full_until_learning_and_falls_between_uses(
        id in curve(), parts in any_trace(100), one in moment(), other in moment(),
    ) {
        let trace = as_trace(&parts);
        let (early, late) = (one.min(other), one.max(other));
        let (before, after) = (id.retention(&trace, early), id.retention(&trace, late));
        prop_assert!((0.0..=1.0).contains(&before) && (0.0..=1.0).contains(&after), "{before} {after}");
        let strength = id.state(&trace, early).strength;
        prop_assert!(strength >= 0.0 && strength.is_finite(), "{strength}");
        if early <= trace.learned_at {
            prop_assert_eq!(before, 1.0);
        }
        if trace.uses.until(early).len() == trace.uses.until(late).len() {
            prop_assert!(after <= before + ROUNDING, "{} rose from {before} to {after}", id.name());
        }
        let pinned = Trace { pinned: true, ..trace };
        prop_assert_eq!(id.retention(&pinned, late), 1.0);
    }

    #[test]
    fn a_new_use_lowers_retention_at_no_later_moment(
        id in curve(), parts in any_trace(MAX_USES), at in moment(), kind in kind(), now in moment(), dropped in any::<u32>(),
    ) {
        prop_assume!(id != CurveId::MemoryBankAsReleased && kind != UseKind::Contradicted);
        let now = now.max(at);
        let newest: Vec<Use> = parts.3.newest().iter().filter(|one| one.at < at).copied().collect();
        // Beyond the bound FSRS replays stand-ins.
        let earlier = if id == CurveId::Fsrs6 || newest.is_empty() { 0 } else { dropped };
        let before = (parts.0, parts.1, parts.2, Uses::new(earlier, newest).unwrap());
        let mut after = before.clone();
        let is_recorded = after.3.record(Use { at, kind }, 0);
        prop_assert!(is_recorded);
        let (without, with) = (id.retention(&as_trace(&before), now), id.retention(&as_trace(&after), now));
        prop_assert!(with >= without - ROUNDING, "{}: {without} fell to {with}", id.name());
    }

    #[test]
    fn uses_after_the_moment_do_not_exist(id in curve(), parts in any_trace(MAX_USES), now in moment()) {
        let past = Uses::new(0, parts.3.until(now).to_vec()).unwrap();
        let then = (parts.0, parts.1, parts.2, past);
        prop_assert_eq!(id.state(&as_trace(&parts), now), id.state(&as_trace(&then), now));
    }

    #[test]
    fn the_scan_agrees_with_every_curve_that_it_knows(
        id in curve(), parts in any_trace(100), age_us in 0..40_000 * DAY_US,
    ) {
        let trace = as_trace(&parts);
        let now = trace.last_event().plus_micros(age_us);
        let known = !matches!(id, CurveId::ActR | CurveId::MemoryBankAsReleased);
        let decay = id.decay(&trace);
        prop_assert_eq!(decay.is_some(), known);
        let Some(decay) = decay else { return Ok(()) };
        prop_assert!(decay.rate_per_us.is_finite() && decay.rate_per_us >= 0.0 && decay.shape >= 0.0);
        prop_assert!(decay.shape.is_finite() && decay.importance.is_finite());
        let elapsed_us = gpu_retrieval::elapsed_us(now.as_micros(), decay.t0_us);
        let scanned = f64::from(gpu_retrieval::retention(elapsed_us, decay.rate_per_us, decay.shape));
        let exact = id.retention(&trace, now);
        prop_assert!((scanned - exact).abs() <= 1e-4, "{}: {scanned} in the scan, {exact}", id.name());
    }
}

#[test]
fn curves_see_what_was_used_and_never_forget_what_is_pinned() {
    let uses = used_at(&[1.0, 3.0, 9.0], UseKind::Confirmed);
    let now = after_days(20.0);
    for id in CurveId::ALL {
        let (used, unused) = (trace(&uses), trace(Uses::none()));
        let pinned = Trace { pinned: true, ..used };
        assert_eq!(id.retention(&pinned, Timestamp::MAX), 1.0);
        assert_eq!(id.decay(&pinned).map(|decay| decay.rate_per_us), Some(0.0));
        if !matches!(id, CurveId::None | CurveId::MemoryBankAsReleased) {
            assert!(id.retention(&used, now) > id.retention(&unused, now), "{}", id.name());
            let strong = Trace { initial_strength: 4.0, ..unused };
            assert!(id.retention(&strong, now) > id.retention(&unused, now), "{}", id.name());
        }
    }
}

/// A store of the time before traces had strengths: of a memory without uses, the factor is that strength.
#[test]
fn a_stored_strength_is_the_factor_of_a_memory_without_uses() {
    let strength = crate::domain::memory::Strength::new(0.5, 5.0, LEARNED);
    let found = CurveId::default().retention(&Trace::of(&strength), after_days(7.0));
    assert_near(found, 0.2466, 5.1e-5, "S = 5");
}
