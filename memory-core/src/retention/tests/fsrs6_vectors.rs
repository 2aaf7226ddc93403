//! Values of FSRS 6: steps of the formulas, and states after whole sequences of reviews as py-fsrs 6.3.2 computes them
//! (without learning steps and fuzz).

use super::*;
use crate::retention::fsrs6::{Rating, Reviewed};
use crate::retention::{Curve, Fsrs6};

const NEW: Reviewed = Reviewed { stability: 2.3065, difficulty: 2.118_103_97 };
const RATINGS: [Rating; 4] = [Rating::Again, Rating::Hard, Rating::Good, Rating::Easy];

#[test]
fn first_ratings_set_stability_and_difficulty() {
    let expected = [(0.212, 6.4133), (1.2931, 5.1122), (2.3065, 2.1181), (8.2956, 1.0)];
    for (rating, (stability, difficulty)) in RATINGS.into_iter().zip(expected) {
        let first = Reviewed::new(rating, 1.0);
        assert_eq!(first.stability, stability);
        assert_near(first.difficulty, difficulty, 5.1e-5, "D0");
    }
    let of_importance =
        |importance| Fsrs6.state(&Trace { importance, ..trace(Uses::none()) }, LEARNED).strength;
    assert_eq!([0.0, 0.3, 0.5, 0.9, f64::NAN].map(of_importance), [0.212, 1.2931, 2.3065, 8.2956, 2.3065]);
}

#[test]
fn retention_is_nine_tenths_at_the_stability() {
    let trace = trace(Uses::none());
    assert_near(Fsrs6.retention(&trace, after_days(2.3065)), 0.9, 1e-9, "R(S)");
    let expected = [
        (1.0, 0.946_847),
        (2.0, 0.909_493),
        (7.0, 0.808_310),
        (30.0, 0.667_526),
        (90.0, 0.567_838),
        (365.0, 0.458_945),
    ];
    for (days, expected) in expected {
        assert_near(Fsrs6.retention(&trace, after_days(days)), expected, 1e-6, &format!("{days} days"));
    }
    let one_day = Trace { initial_strength: 1.0 / 2.3065, ..trace };
    for (days, expected) in [
        (1.0 / 24.0, 0.994),
        (1.0 / 3.0, 0.957),
        (1.0, 0.9),
        (2.0, 0.846),
        (7.0, 0.728),
        (30.0, 0.591),
        (90.0, 0.5),
        (365.0, 0.404),
    ] {
        assert_near(
            Fsrs6.retention(&one_day, after_days(days)),
            expected,
            5.1e-4,
            &format!("S = 1, {days} days"),
        );
    }
}

#[test]
fn difficulty_moves_with_the_rating() {
    for (rating, expected) in RATINGS.into_iter().zip([7.3945, 4.7529, 2.1112, 1.0]) {
        assert_near(NEW.next_difficulty(rating), expected, 5.1e-5, "D");
    }
}

#[test]
fn reviews_of_what_is_nearly_forgotten_strengthen_most() {
    let retrievabilities = [0.99, 0.95, 0.9, 0.8, 0.7, 0.5];
    let good = [3.2327, 7.0123, 11.9091, 22.3074, 33.5671, 58.9627];
    let again = [0.5321, 0.5683, 0.6172, 0.7278, 0.8582, 1.1933];
    for ((r, good), again) in retrievabilities.into_iter().zip(good).zip(again) {
        assert_near(NEW.after_success(r, Rating::Good), good, 5.1e-4, &format!("good at {r}"));
        assert_near(NEW.after_lapse(r), again, 5.1e-5, &format!("again at {r}"));
    }
    let mut memory = Reviewed::new(Rating::Good, 1.0);
    for (expected, error) in [(11.9091, 1e-3), (49.6559, 1e-3), (173.82, 0.01), (526.85, 0.01)] {
        memory = memory.review(memory.stability, Rating::Good);
        assert_near(memory.stability, expected, error, "good at R = .9");
    }
}

/// Importance, gaps in days with the uses after them, stability, retention 10 days later.
type Case<'a> = (f64, &'a [(f64, UseKind)], f64, f64);

#[test]
fn sequences_of_reviews_end_where_the_reference_ends() {
    let days = |kinds: &[(f64, UseKind)]| {
        let mut day = 0.0;
        let mut uses = Vec::new();
        for (gap, kind) in kinds {
            day += gap;
            uses.push(Use { at: after_days(day), kind: *kind });
        }
        (Uses::new(0, uses).unwrap(), after_days(day + 10.0))
    };
    use UseKind::{Cited as GOOD, Confirmed as EASY, Contradicted as AGAIN, InContext as HARD};
    let cases: [Case; 5] = [
        (
            0.5,
            &[(1.0, GOOD), (4.0, GOOD), (12.0, EASY), (40.0, AGAIN), (2.0, GOOD), (9.0, HARD)],
            15.668_704_1,
            0.927_809_328,
        ),
        (0.0, &[(1.0, GOOD), (1.0, GOOD)], 4.474_817_23, 0.836_177_579),
        (0.9, &[(0.1, GOOD), (0.2, GOOD), (20.0, GOOD)], 63.445_737_3, 0.978_087_820),
        (0.3, &[(3.0, AGAIN), (0.01, GOOD), (5.0, EASY)], 5.362_949_88, 0.851_886_839),
        (0.5, &[(0.001, EASY), (30.0, GOOD)], 55.007_585_3, 0.975_027_527),
    ];
    for (importance, kinds, stability, after_ten_days) in cases {
        let (uses, now) = days(kinds);
        let trace = Trace { importance, ..trace(&uses) };
        assert_near(Fsrs6.state(&trace, now).strength, stability, stability * 1e-6, "stability");
        assert_near(Fsrs6.retention(&trace, now), after_ten_days, 1e-6, "retention");
    }
}

#[test]
fn spaced_reviews_strengthen_more_than_massed_ones() {
    let strength =
        |days: &[f64]| Fsrs6.state(&trace(&used_at(days, UseKind::Cited)), after_days(30.0)).strength;
    assert!(strength(&[10.0, 20.0]) > strength(&[1.5, 3.0]));
    assert!(strength(&[1.5, 3.0]) > strength(&[0.01, 0.02]));
}

#[test]
fn a_memory_that_was_only_returned_was_not_reviewed() {
    let state = Fsrs6.state(&trace(&used_at(&[3.0], UseKind::Returned)), after_days(4.0));
    assert_eq!((state.strength, state.refreshed_at), (2.3065, LEARNED));
}
