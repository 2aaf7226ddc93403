//! `exp2` and `log2` as polynomials, on the ranges that retention needs.
//!
//! libm differs between platforms in the last bits, and a score must not. The invariant: only fp32 additions,
//! multiplications, fused multiply-adds and integer operations on bits, in the order written, no branch but selections,
//! so that a compiler may run eight or sixteen at once and a GPU thirty-two with equal bits. The coefficients are minimax
//! (Remez exchange in binary64), rounded to fp32 (the first of each is then that constant's own fp32 value).

use std::f32::consts::{LN_2, LOG2_E};

/// `(2^f − 1) / f` on [−½, ½], lowest power first; relative error of `1 + f·P(f)` is 2^−28.9 before rounding.
const EXP2: [f32; 6] = [LN_2, 0.240_226_48, 0.055_503_327, 0.009_618_438, 0.001_339_884_4, 0.000_153_532_85];

/// `log2(1 + t) / t` on [√½ − 1, √2 − 1], lowest power first; relative error 2^−27.9 before rounding.
const LOG2: [f32; 10] = [
    LOG2_E,
    -0.721_347_4,
    0.480_898_23,
    -0.360_696_64,
    0.288_567_4,
    -0.239_617_4,
    0.204_600_62,
    -0.191_062_76,
    0.186_174_96,
    -0.109_949_55,
];

/// 1.5·2^23: adding it leaves the nearest integer (ties to even) in the low bits of the sum.
const ROUND: f32 = 12_582_912.0;

/// Below this exponent the result is 0: no subnormal is ever produced.
const SMALLEST_EXPONENT: f32 = -126.0;

/// `2^x` for `x ≤ 0`, in [0, 1]; a positive `x` counts as 0, and below −126 the result is exactly 0.
///
/// `exp2_nonpositive(±0) = 1` exactly. The relative error is at most 1.5·2^−24 (tested over the whole range). The
/// argument must not be NaN.
#[inline(always)]
#[must_use]
pub fn exp2_nonpositive(x: f32) -> f32 {
    let x = if x > 0.0 { 0.0 } else { x };
    let clipped = if x < SMALLEST_EXPONENT { SMALLEST_EXPONENT } else { x };
    let shifted = clipped + ROUND;
    let whole = shifted - ROUND;
    let fraction = clipped - whole;
    let mantissa = fraction.mul_add(horner(&EXP2, fraction), 1.0);
    let exponent = shifted.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127);
    let power = mantissa * f32::from_bits(exponent << 23);
    let bounded = if power > 1.0 { 1.0 } else { power };
    if x < SMALLEST_EXPONENT { 0.0 } else { bounded }
}

/// `log2(u)` for `u` in [1, `f32::MAX`]; `log2_from_one(1) = 0` exactly.
///
/// The error is at most 2·2^−24 relative to the result (tested over the whole range). A `u` below 1, an infinity
/// or a NaN gives a meaningless value.
#[inline(always)]
#[must_use]
pub fn log2_from_one(u: f32) -> f32 {
    // Splitting at √½ instead of 1 keeps the mantissa's distance from 1 small, hence the polynomial short.
    const SQRT_HALF_BITS: i32 = 0x3f35_04f3;
    let bits = u.to_bits().cast_signed();
    let exponent = bits.wrapping_sub(SQRT_HALF_BITS) >> 23;
    let mantissa = f32::from_bits(bits.wrapping_sub(exponent << 23).cast_unsigned());
    let t = mantissa - 1.0;
    // An exponent has at most 8 bits: the conversion is exact.
    #[expect(clippy::cast_precision_loss, reason = "at most 8 bits")]
    let exponent = exponent as f32;
    t.mul_add(horner(&LOG2, t), exponent)
}

/// `c[0] + x·(c[1] + x·(… + x·c[n−1]))`, one fused multiply-add per step, innermost first.
#[inline(always)]
fn horner<const N: usize>(coefficients: &[f32; N], x: f32) -> f32 {
    let mut value = coefficients[N - 1];
    for step in 1..N {
        value = value.mul_add(x, coefficients[N - 1 - step]);
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp2_keeps_its_promised_error() {
        assert_eq!(exp2_nonpositive(0.0), 1.0);
        assert_eq!(exp2_nonpositive(-0.0), 1.0);
        assert_eq!(exp2_nonpositive(-1.0), 0.5);
        assert_eq!(exp2_nonpositive(-126.0), f32::MIN_POSITIVE);
        assert_eq!(exp2_nonpositive((-126.0f32).next_down()), 0.0);
        assert_eq!(exp2_nonpositive(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp2_nonpositive(3.0), 1.0);
        let mut worst = 0.0f64;
        let last = (126.0f32).to_bits();
        for bits in (0..=last).step_by(997).chain(1.0f32.to_bits()..1.0f32.to_bits() + 200_000) {
            let x = -f32::from_bits(bits);
            let real = f64::from(x).exp2();
            worst = worst.max((f64::from(exp2_nonpositive(x)) - real).abs() / real);
        }
        assert!(worst < 1.5 / f64::from(1 << 24), "{}", worst * f64::from(1 << 24));
    }

    #[test]
    fn log2_keeps_its_promised_error() {
        assert_eq!(log2_from_one(1.0).to_bits(), 0);
        assert_eq!(log2_from_one(2.0), 1.0);
        assert_eq!(log2_from_one(8.0), 3.0);
        let mut worst = 0.0f64;
        let (first, last) = (1.0f32.next_up().to_bits(), f32::MAX.to_bits());
        for bits in (first..=last).step_by(1009).chain(first..first + 300_000) {
            let u = f32::from_bits(bits);
            let real = f64::from(u).log2();
            worst = worst.max((f64::from(log2_from_one(u)) - real).abs() / real);
        }
        assert!(worst < 2.0 / f64::from(1 << 24), "{}", worst * f64::from(1 << 24));
    }
}
