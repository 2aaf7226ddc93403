//! Scalar quantisation: int8 rows, int16 queries, and the error bound of their dot product.
//!
//! Int8 codes halve the bytes of the certified pass. The invariant is the bound that keeps it exact: with
//! `x` the fp16 row, `x̂ = scale·X` its int8 reconstruction and `residual ≥ ‖x − x̂‖` (and the same for the query `q`),
//!
//! ```text
//! q·x = q̂·x̂ + (q − q̂)·x̂ + q·(x − x̂)          and by Cauchy-Schwarz
//! |q·x − q̂·x̂| ≤ ‖q − q̂‖·(‖x‖ + residual_x) + ‖q‖·residual_x
//! ```
//!
//! `q̂·x̂` is an integer times two scales, so it is the same on every instruction set. The query gets as many bits
//! as an i32 sum can hold, which makes its residual negligible beside the row's.

use half::f16;

use crate::scoring::LANES;

/// The largest magnitude of a row's codes.
const MAX_ROW_CODE: f32 = 127.0;

/// The longest a stored row may be: rows are refused beyond one percent from 1.
const MAX_ROW_NORM: f64 = 1.01;

/// The largest deviation of a squared norm from 1: an fp16 unit vector is within 0.2 %.
pub(crate) const UNIT_TOLERANCE: f64 = 0.02;

/// The quantisation parameters of an int8 row.
#[derive(Debug, Clone, Copy, Default, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub(crate) struct Int8Params {
    /// The value of one code step.
    pub(crate) scale: f32,
    /// An upper bound of `‖x − x̂‖`.
    pub(crate) residual: f32,
}

/// Writes the int8 codes of `row` to `out` (same length) and returns their parameters.
pub(crate) fn quantise_row(row: &[f16], out: &mut [i8]) -> Int8Params {
    let largest = row.iter().fold(0.0f32, |largest, value| largest.max(value.to_f32().abs()));
    let scale = largest / MAX_ROW_CODE;
    let mut squares = 0.0f64;
    for (value, code) in row.iter().zip(out) {
        let nearest = nearest_code(value.to_f32(), scale, MAX_ROW_CODE);
        #[expect(clippy::cast_possible_truncation, reason = "clamped to ±127")]
        let narrow = nearest as i8;
        *code = narrow;
        let error = f64::from(value.to_f32()) - f64::from(scale) * f64::from(nearest);
        squares += error * error;
    }
    Int8Params { scale, residual: round_up(squares.sqrt()) }
}

/// An int16 query and the constants of its error bound.
#[derive(Debug, Default)]
pub(crate) struct QuantisedQuery {
    pub(crate) codes: Vec<i16>,
    pub(crate) bound: Bound,
}

/// Turns an integer dot product into an upper bound of the canonical one (see [`Bound::upper`]).
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Bound {
    scale: f32,
    per_residual: f32,
    slack: f32,
}

impl QuantisedQuery {
    /// Replaces the content; `query` is padded with zeros to the rows' stride.
    pub(crate) fn assign(&mut self, query: &[f32]) {
        let largest = query.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
        let scale = largest / max_query_code(query.len());
        let (mut squares, mut residual) = (0.0f64, 0.0f64);
        self.codes.clear();
        self.codes.extend(query.iter().map(|value| {
            let nearest = nearest_code(*value, scale, max_query_code(query.len()));
            let error = f64::from(*value) - f64::from(scale) * f64::from(nearest);
            squares += f64::from(*value) * f64::from(*value);
            residual += error * error;
            #[expect(clippy::cast_possible_truncation, reason = "at most 32767")]
            let narrow = nearest as i16;
            narrow
        }));
        self.bound = Bound::new(scale, squares.sqrt(), residual.sqrt(), query.len());
    }
}

impl Bound {
    fn new(scale: f32, norm: f64, residual: f64, padded_dims: usize) -> Self {
        let unit = f64::from(f32::EPSILON) / 2.0;
        // A lane adds padded_dims / 32 exact products, the butterfly five more times: γ_n·Σ|q_i·x_i| ≤ γ_n·‖q‖·‖x‖.
        #[expect(clippy::cast_precision_loss, reason = "at most 4096")]
        let additions = (padded_dims / LANES + 5) as f64;
        let canonical_rounding = 1.1 * additions * unit * norm * MAX_ROW_NORM;
        // `upper` rounds six times values below 2.
        let bound_rounding = 16.0 * unit;
        Self {
            scale,
            per_residual: round_up(norm + residual),
            slack: round_up(residual * MAX_ROW_NORM + canonical_rounding + bound_rounding),
        }
    }

    /// A number that the canonical dot product of query and row does not exceed.
    #[inline(always)]
    pub(crate) fn upper(&self, integer_dot: i32, row: Int8Params) -> f32 {
        let slack = row.residual.mul_add(self.per_residual, self.slack);
        #[expect(clippy::cast_precision_loss, reason = "the rounding is part of the slack")]
        let integer_dot = integer_dot as f32;
        integer_dot.mul_add(self.scale * row.scale, slack)
    }
}

/// The largest query code that 16 bits and an i32 sum of `padded_dims` products with ±127 allow.
fn max_query_code(padded_dims: usize) -> f32 {
    let most =
        i32::MAX.cast_unsigned() / (127 * u32::try_from(padded_dims).unwrap_or(u32::MAX).clamp(1, 16_384));
    f32::from(u16::try_from(most).unwrap_or(u16::MAX).min(i16::MAX.cast_unsigned()))
}

/// The code nearest to `value / scale`; 0 when there is no scale.
fn nearest_code(value: f32, scale: f32, max_code: f32) -> f32 {
    if scale == 0.0 { 0.0 } else { (value / scale).round_ties_even().clamp(-max_code, max_code) }
}

/// To fp32, upwards, with a margin far above the rounding of the binary64 sums that led here.
#[expect(clippy::cast_possible_truncation, reason = "a norm below 2, and the margin covers the rounding")]
fn round_up(value: f64) -> f32 {
    (value * (1.0 + 1e-6)) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scoring::{dot, unit_fp16};
    use proptest::prelude::*;

    #[test]
    fn the_largest_sum_fits_an_i32() {
        for dims in (64..=4096usize).step_by(64) {
            let sum = 127.0 * f64::from(max_query_code(dims)) * dims as f64;
            assert!(sum <= f64::from(i32::MAX) && max_query_code(dims) >= 4000.0, "{dims}: {sum}");
        }
    }

    #[test]
    fn a_row_of_zeros_is_no_division_by_zero() {
        let mut codes = [1i8; 64];
        let row = quantise_row(&[f16::ZERO; 64], &mut codes);
        assert_eq!((codes, row.scale, row.residual), ([0; 64], 0.0, 0.0));
    }

    proptest! {
        /// Skewed values, so that some rows have one large element and a large residual.
        #[test]
        fn the_bound_holds_and_is_tight(
            pairs in prop::collection::vec((-1.0f32..1.0, -1.0f32..1.0), 1..400), power in 1i32..12
        ) {
            let (q, x): (Vec<f32>, Vec<f32>) =
                pairs.iter().map(|(q, x)| (q.powi(power), x.powi(power))).unzip();
            let (Ok(mut q), Ok(mut x)) = (unit_fp16(&q), unit_fp16(&x)) else { return Ok(()) };
            let canonical = dot(&q, &x);
            q.resize(q.len().next_multiple_of(64), f16::ZERO);
            x.resize(q.len(), f16::ZERO);
            let mut query = QuantisedQuery::default();
            query.assign(&q.iter().map(|value| value.to_f32()).collect::<Vec<_>>());
            let mut codes = vec![0i8; x.len()];
            let row = quantise_row(&x, &mut codes);
            let sum: i32 =
                codes.iter().zip(&query.codes).map(|(x, q)| i32::from(*x) * i32::from(*q)).sum();
            let upper = query.bound.upper(sum, row);
            prop_assert!(canonical <= upper, "{canonical} above {upper}");
            prop_assert!(upper - canonical < 2.1 * row.residual + 1e-3, "{upper} far above {canonical}");
        }
    }
}
