//! Retention: the decay of a row as a function of its age, for two families of forgetting curves.
//!
//! The scan evaluates it for every row and the score's bits depend on it, so it is part of the contract. The invariant:
//! for any finite parameters the result is a number in [0, 1], and a rate of 0 gives exactly 1 at any age.

use super::exp2::{exp2_nonpositive, log2_from_one};

/// The age of a row in µs as an fp32 number: `max(now − t0, 0)`, the subtraction saturating, converted to nearest.
///
/// A row from the future is as fresh as one of this instant.
#[inline(always)]
#[must_use]
pub fn elapsed_us(now_us: i64, t0_us: i64) -> f32 {
    #[expect(clippy::cast_precision_loss, reason = "rounding to nearest is the contract")]
    let elapsed = now_us.saturating_sub(t0_us).max(0) as f32;
    elapsed
}

/// Retention after `elapsed_us`: with `a = rate_per_us` and `b = shape`,
///
/// - `b = 0`, exponential: `2^(−a·dt)`, so `1 / a` is the half-life in µs;
/// - `b > 0`, power law: `(1 + a·dt)^(−b) = 2^(−b·log2(1 + a·dt))`.
///
/// In order: `u = fma(a, dt, 1)` clipped to [1, `f32::MAX`]; the exponent is `−(a·dt)` or `−(b·log2(u))`; the
/// result is [`exp2_nonpositive`] of it. The relative error is below `(2·|exponent| + 2)·2^−24`: it comes from the
/// rounding of the exponent. Negative parameters give 1 or, for the sign of one product only, what the clipping
/// leaves; rows with such parameters are refused before they get here.
#[inline(always)]
#[must_use]
pub fn retention(elapsed_us: f32, rate_per_us: f32, shape: f32) -> f32 {
    let exponent = rate_per_us * elapsed_us;
    let base = rate_per_us.mul_add(elapsed_us, 1.0);
    let base = if base < 1.0 { 1.0 } else { base };
    let base = if base > f32::MAX { f32::MAX } else { base };
    let power = shape * log2_from_one(base);
    exp2_nonpositive(-(if shape == 0.0 { exponent } else { power }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Finite numbers of every magnitude, which ranges of proptest would miss.
    fn finite() -> impl Strategy<Value = f32> {
        any::<u32>().prop_map(f32::from_bits).prop_filter("finite", |value| value.is_finite())
    }

    #[test]
    fn age_saturates_and_never_runs_backwards() {
        assert_eq!(elapsed_us(5, 9), 0.0);
        assert_eq!(elapsed_us(9, 5), 4.0);
        assert_eq!(elapsed_us(i64::MAX, i64::MIN), 9.223_372e18);
        assert_eq!(elapsed_us(i64::MIN, i64::MAX), 0.0);
    }

    #[test]
    fn half_life_and_power_law_have_their_textbook_values() {
        let day = 86_400_000_000.0f32;
        assert_eq!(retention(day, 1.0 / day, 0.0), 0.5);
        assert!((retention(day, 1.0 / day, 0.5) - 0.5f32.sqrt()).abs() < 1e-7);
        assert!((retention(9.0 * day, 1.0 / day, 1.0) - 0.1).abs() < 1e-7);
        assert_eq!(retention(f32::MAX, f32::MAX, 0.0), 0.0);
        assert_eq!(retention(f32::MAX, f32::MAX, 1e-3), exp2_nonpositive(-0.128));
        assert_eq!(retention(f32::MAX, f32::MAX, f32::MAX), 0.0);
    }

    proptest! {
        #[test]
        fn is_a_share_for_all_finite_parameters(now in any::<i64>(), t0 in any::<i64>(), a in finite(), b in finite()) {
            let left = retention(elapsed_us(now, t0), a, b);
            prop_assert!((0.0..=1.0).contains(&left), "{left}");
            prop_assert_eq!(retention(elapsed_us(now, t0), 0.0, b.abs()), 1.0);
            prop_assert_eq!(retention(0.0, a, b), 1.0);
        }

        #[test]
        fn keeps_its_promised_error(dt in 0.0f32..1e15, half_lives in 0.0f32..40.0, shape in 0.0f32..4.0) {
            let rate = half_lives / (dt + 1.0);
            let product = f64::from(rate) * f64::from(dt);
            for (shape, exponent) in [(0.0, -product), (shape, -f64::from(shape) * product.ln_1p() / 2f64.ln())] {
                if shape == 0.0 && exponent != -product { continue }
                let (real, left) = (exponent.exp2(), f64::from(retention(dt, rate, shape)));
                let bound = real * (2.0 * exponent.abs() + 2.0 * f64::from(shape) + 2.0) / f64::from(1 << 24);
                prop_assert!((left - real).abs() <= bound, "{left} for {real}");
            }
        }
    }
}
