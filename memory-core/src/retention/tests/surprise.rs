//! Tests of the factor by surprise: its values, and its properties for any cosine.

use proptest::prelude::*;

use super::LEARNED;
use crate::domain::memory::{Kind, Strength};
use crate::retention::Policy;

fn any_cosine() -> impl Strategy<Value = Option<f32>> {
    let odd = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, -0.0].map(Some);
    prop_oneof![
        (-1.01f32..=1.01).prop_map(Some),
        any::<Option<f32>>(),
        proptest::sample::select(odd.to_vec())
    ]
}

fn of_policy(gain: f64, midpoint: f64, nearest_cosine: Option<f32>) -> f64 {
    let policy = Policy { surprise_gain: gain, surprise_midpoint: midpoint, ..Policy::default() };
    let strength = Strength { nearest_cosine, ..Strength::new(0.5, 1.0, LEARNED) };
    policy.trace(Kind::Turn, &strength).initial_strength
}

#[test]
fn surprise_multiplies_the_initial_strength_by_the_gain_for_what_is_new_and_divides_it_for_a_repetition() {
    let near = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-6, "{found}, {expected}");
    for (cosine, expected) in [(1.0, 0.25), (0.875, 0.5), (0.75, 1.0), (0.625, 2.0), (0.5, 4.0), (-1.0, 4.0)]
    {
        near(of_policy(4.0, 0.75, Some(cosine)), expected);
    }
    near(of_policy(4.0, 0.75, None), 1.0);
    near(of_policy(4.0, 0.0, Some(0.5)), 0.5);
}

proptest! {
    #[test]
    fn the_factor_by_surprise_is_finite_and_positive_for_any_number(
        by in 0.01f64..=10_000.0, midpoint in 0.0f64..=0.99, cosine in any_cosine(),
    ) {
        let factor = of_policy(by, midpoint, cosine);
        prop_assert!(factor.is_finite() && factor > 0.0, "{}", factor);
    }

    #[test]
    fn a_memory_nearer_to_a_known_one_is_never_stronger_under_a_gain_above_one(
        by in 1.0f64..=10_000.0, midpoint in 0.0f64..=0.99, one in -1.0f32..=1.0, other in -1.0f32..=1.0,
    ) {
        let (far, near) = (one.min(other), one.max(other));
        prop_assert!(of_policy(by, midpoint, Some(far)) >= of_policy(by, midpoint, Some(near)));
    }

    #[test]
    fn a_cosine_at_the_midpoint_and_a_gain_of_one_change_nothing(
        by in 0.01f64..=10_000.0, midpoint in 0.0f32..=0.99, cosine in any_cosine(),
    ) {
        prop_assert_eq!(of_policy(by, f64::from(midpoint), Some(midpoint)), 1.0);
        prop_assert_eq!(of_policy(1.0, f64::from(midpoint), cosine), 1.0);
    }
}
