//! Published and computed values of every curve except FSRS: what each formula says, to four digits.

use super::*;
use crate::retention::activation::sum_of_uses;
use crate::retention::{
    ActR, Curve, CurveId, HalfLifeRegression, MemoryBankAsReleased, MemoryBankIntended, MemoryBankPaper,
    Wixted,
};

/// Hours of the tables: 1 h, 8 h, 1 d, 2 d, 7 d, 30 d.
const HOURS: [i64; 6] = [1, 8, 24, 48, 168, 720];

fn retentions(curve: &dyn Curve, strength: f64) -> [f64; 6] {
    let trace = Trace { initial_strength: strength, ..trace(Uses::none()) };
    HOURS.map(|hours| curve.retention(&trace, LEARNED.plus_micros(hours * HOUR_US)))
}

fn assert_row(curve: &dyn Curve, strength: f64, expected: [f64; 6]) {
    for (found, expected) in retentions(curve, strength).into_iter().zip(expected) {
        assert_near(found, expected, 5.1e-5, &format!("{} S={strength}", curve.name()));
    }
}

#[test]
fn memorybank_has_the_values_of_its_formulas() {
    let (high, low) =
        ([0.9592, 0.7165, 0.3679, 0.1353, 0.0009, 0.0], [0.9917, 0.9355, 0.8187, 0.6703, 0.2466, 0.0025]);
    assert_row(&MemoryBankPaper, 1.0, high);
    assert_row(&MemoryBankPaper, 5.0, low);
    assert_row(&MemoryBankIntended, 1.0, low);
    assert_row(&MemoryBankIntended, 5.0, [0.9983, 0.9868, 0.9608, 0.9231, 0.7558, 0.3012]);
}

/// The inversion in one table: the release at strength 5 is the paper at strength 1, and the other way round.
#[test]
fn the_released_formula_forgets_faster_what_is_stronger() {
    // Whole days: hours of the first day are not forgotten at all.
    assert_row(&MemoryBankAsReleased, 1.0, [1.0, 1.0, 0.8187, 0.6703, 0.2466, 0.0025]);
    assert_row(&MemoryBankAsReleased, 5.0, [1.0, 1.0, 0.3679, 0.1353, 0.0009, 0.0]);
    let uses = used_at(&[1.0], UseKind::Cited);
    let (once, again) = (trace(Uses::none()), trace(&uses));
    let from_use = |days: f64| after_days(1.0 + days);
    for curve in [&MemoryBankPaper as &dyn Curve, &MemoryBankIntended] {
        assert!(curve.retention(&again, from_use(3.0)) > curve.retention(&once, after_days(3.0)));
    }
    let released = &MemoryBankAsReleased;
    assert!(released.retention(&again, from_use(3.0)) < released.retention(&once, after_days(3.0)));
    assert!(released.retention(&again, from_use(7.0)) < released.retention(&once, from_use(7.0)));
}

#[test]
fn the_days_of_the_released_formula_are_dates() {
    let learned_at = LEARNED.plus_micros(23 * HOUR_US);
    let trace = Trace { learned_at, ..trace(Uses::none()) };
    let at = |hours: i64| MemoryBankAsReleased.retention(&trace, learned_at.plus_micros(hours * HOUR_US));
    assert_eq!((at(0), at(1), at(24), at(-48)), (1.0, (-0.2f64).exp(), (-0.2f64).exp(), 1.0));
}

#[test]
fn a_recall_adds_one_to_the_strength_and_restarts_the_time() {
    let uses = used_at(&[2.0, 5.0], UseKind::InContext);
    let state = MemoryBankPaper.state(&trace(&uses), after_days(6.0));
    assert_eq!((state.strength, state.refreshed_at), (3.0, after_days(5.0)));
    assert_near(
        MemoryBankPaper.retention(&trace(&uses), after_days(8.0)),
        (-1.0f64).exp(),
        1e-12,
        "3 days at S = 3",
    );
    // As it was before the second recall.
    let state = MemoryBankPaper.state(&trace(&uses), after_days(4.0));
    assert_eq!((state.strength, state.refreshed_at), (2.0, after_days(2.0)));
    let contradicted = used_at(&[2.0], UseKind::Contradicted);
    assert_eq!(MemoryBankPaper.state(&trace(&contradicted), after_days(3.0)).strength, 1.0);
}

#[test]
fn half_life_regression_halves_in_a_day_and_doubles_with_each_right_use() {
    assert_row(&HalfLifeRegression, 1.0, [0.9715, 0.7937, 0.5, 0.25, 0.0078, 0.0]);
    let half_life =
        |days: &[f64], kind| HalfLifeRegression.state(&trace(&used_at(days, kind)), after_days(9.0)).strength;
    assert_eq!(half_life(&[1.0, 2.0, 3.0], UseKind::Cited), 8.0);
    assert_eq!(half_life(&[1.0, 2.0], UseKind::Contradicted), 0.25);
    assert_eq!(half_life(&[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9], UseKind::Cited), 274.0);
}

/// b = 100 k / ((log10 t)^c + k), t in minutes: the fit of Ebbinghaus (1885) to his own savings.
fn savings(minutes: f64) -> f64 {
    1.84 / (minutes.log10().powf(1.25) + 1.84)
}

#[test]
fn savings_of_ebbinghaus_fall_more_slowly_than_any_exponential() {
    let days = |days: f64| savings(days * 1_440.0);
    let expected = [0.473, 0.349, 0.304, 0.281, 0.245, 0.213, 0.193, 0.172];
    let found = [1.0 / 24.0, 1.0 / 3.0, 1.0, 2.0, 7.0, 30.0, 90.0, 365.0].map(days);
    for (found, expected) in found.into_iter().zip(expected) {
        assert_near(found, expected, 5.1e-4, "savings");
    }
    assert_near(savings(20.0), 0.57, 0.011, "20 minutes");
}

#[test]
fn the_power_law_is_near_the_savings_of_ebbinghaus() {
    let measured = [
        (20.0, 0.582),
        (64.0, 0.442),
        (526.0, 0.358),
        (1_440.0, 0.337),
        (2_880.0, 0.278),
        (8_640.0, 0.254),
        (44_640.0, 0.211),
    ];
    let error = |(minutes, savings): (f64, f64)| {
        Wixted.retention(&trace(Uses::none()), after_days(minutes / 1_440.0)) - savings
    };
    let squares: f64 = measured.iter().map(|one| error(*one).powi(2)).sum();
    assert_near(squares, 0.002_577, 1e-6, "sum of squares of the fit");
    assert_row(&Wixted, 1.0, [0.4822, 0.3672, 0.3179, 0.2903, 0.2463, 0.2035]);
}

/// Uses aged 1 to 28 days: the sum over all of them, Petrov's approximation with k = 1, 2, 3, and none exact.
#[test]
fn base_level_activation_and_its_approximation_have_their_values() {
    let ages = [1.0, 3.0, 6.0, 10.0, 15.0, 21.0, 28.0];
    let with = |exact: usize| {
        let others = (ages.len() - exact) as f64;
        sum_of_uses(ages.into_iter().take(exact), others, 28.0).ln()
    };
    for (exact, expected) in [(7, 1.0876), (1, 1.0672), (2, 1.0990), (3, 1.1049)] {
        assert_near(with(exact), expected, 5.1e-5, &format!("k = {exact}"));
    }
    let days: Vec<f64> = ages.iter().rev().skip(1).map(|age| 28.0 - age).collect();
    let state = ActR.state(&trace(&used_at(&days, UseKind::Cited)), after_days(28.0));
    assert_near(state.strength.ln(), 1.1049, 5.1e-5, "the trace of these uses");
}

#[test]
fn a_memory_without_uses_has_an_even_chance_after_thirty_days() {
    let at = |days| ActR.retention(&trace(Uses::none()), after_days(days));
    for (days, expected) in [(1.0, 0.9860), (7.0, 0.8605), (30.0, 0.5), (90.0, 0.2021), (365.0, 0.0422)] {
        assert_near(at(days), expected, 5.1e-5, &format!("{days} days"));
    }
}

#[test]
fn curves_return_from_their_names() {
    for id in CurveId::ALL {
        assert_eq!((CurveId::parse(id.as_str()), id.name()), (Some(id), id.curve().name()));
    }
    assert_eq!((CurveId::default().as_str(), CurveId::parse("memorybank")), ("memorybank.paper", None));
}
