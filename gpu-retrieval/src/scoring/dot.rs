//! The canonical dot product, and normalisation of vectors to fp16.
//!
//! A similarity has one value, whatever the width of the registers that computed it. The invariant: 32 chains of fused
//! multiply-adds in ascending element order, then one fixed butterfly sum. Products of two fp16 numbers are exact in
//! fp32 (22 bits), so a fused and a separate multiply-add agree; only the order of the additions has to be kept.

use half::f16;

/// Partial sums of the canonical dot product: element `i` belongs to lane `i mod LANES`.
pub const LANES: usize = 32;

/// The longest vector, in elements. The bound keeps the integer sums of the int8 pass within 32 bits.
pub const MAX_DIMS: usize = 4096;

/// Why a vector was refused.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum VectorError {
    /// No elements, or more than [`MAX_DIMS`].
    #[error("a vector has 1 to {MAX_DIMS} elements, not {0}")]
    Length(usize),
    /// An element is NaN or infinite.
    #[error("element {index} is not a finite number")]
    NotFinite {
        /// The first such element.
        index: usize,
    },
    /// Every element is zero: there is no direction to keep.
    #[error("a vector of zeros has no direction")]
    Zero,
    /// The vector's length in space is not 1 within one percent.
    #[error("the vector is not normalised: its squared norm is {squared_norm}")]
    NotUnit {
        /// The sum of its squares.
        squared_norm: f64,
    },
    /// The vector has another dimension than the rows it meets.
    #[error("the vector has {given} elements where the rows have {expected}")]
    Dims {
        /// Elements of the rows.
        expected: usize,
        /// Elements of the vector.
        given: usize,
    },
}

/// `v / ‖v‖` rounded to fp16 (nearest, ties to even): the form in which rows are stored and queries are scored.
///
/// In fp32, in this order: every element is divided by the largest magnitude (so that nothing overflows), the
/// squares are summed like a canonical dot product, and each quotient is divided by the square root of the sum.
///
/// # Errors
/// [`VectorError::Length`], [`VectorError::NotFinite`] or [`VectorError::Zero`].
pub fn unit_fp16(vector: &[f32]) -> Result<Vec<f16>, VectorError> {
    if vector.is_empty() || vector.len() > MAX_DIMS {
        return Err(VectorError::Length(vector.len()));
    }
    if let Some(index) = vector.iter().position(|value| !value.is_finite()) {
        return Err(VectorError::NotFinite { index });
    }
    let largest = vector.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
    if largest == 0.0 {
        return Err(VectorError::Zero);
    }
    let scaled: Vec<f32> = vector.iter().map(|value| value / largest).collect();
    let mut lanes = [0.0f32; LANES];
    for (index, value) in scaled.iter().enumerate() {
        let lane = &mut lanes[index % LANES];
        *lane = value.mul_add(*value, *lane);
    }
    let norm = butterfly(lanes).sqrt();
    Ok(scaled.iter().map(|value| f16::from_f32(value / norm)).collect())
}

/// The canonical dot product of an fp16 query with an fp16 row, for any equal length.
///
/// Lane `l` of 32 starts at +0 and takes elements `l`, `l + 32`, `l + 64`, … in this order:
/// `lane = fma(query, row, lane)`. Then for `s` = 16, 8, 4, 2, 1: `lane[l] = lane[l] + lane[l + s]`. The value is
/// `lane[0]`. Zero padding changes nothing: `fma(0, 0, lane)` is `lane`, and no lane is ever −0. If the lengths
/// differ, the excess of the longer is not read.
#[must_use]
pub fn dot(query: &[f16], row: &[f16]) -> f32 {
    let mut lanes = [0.0f32; LANES];
    for (index, (q, x)) in query.iter().zip(row).enumerate() {
        let lane = &mut lanes[index % LANES];
        *lane = x.to_f32().mul_add(q.to_f32(), *lane);
    }
    butterfly(lanes)
}

/// [`dot`] over slices padded with zeros to a multiple of [`LANES`], the query already widened to fp32.
#[inline]
pub(crate) fn dot_padded(row: &[f16], query: &[f32]) -> f32 {
    let mut lanes = [0.0f32; LANES];
    for (x, q) in row.as_chunks::<LANES>().0.iter().zip(query.as_chunks::<LANES>().0) {
        for lane in 0..LANES {
            lanes[lane] = x[lane].to_f32().mul_add(q[lane], lanes[lane]);
        }
    }
    butterfly(lanes)
}

/// The fixed order in which the lanes are added.
#[inline]
fn butterfly(mut lanes: [f32; LANES]) -> f32 {
    let mut stride = LANES / 2;
    while stride > 0 {
        for lane in 0..stride {
            lanes[lane] += lanes[lane + stride];
        }
        stride /= 2;
    }
    lanes[0]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn refuses_what_has_no_direction() {
        assert_eq!(unit_fp16(&[]), Err(VectorError::Length(0)));
        assert_eq!(unit_fp16(&[1.0; MAX_DIMS + 1]), Err(VectorError::Length(MAX_DIMS + 1)));
        assert_eq!(unit_fp16(&[1.0, f32::NAN]), Err(VectorError::NotFinite { index: 1 }));
        assert_eq!(unit_fp16(&[f32::NEG_INFINITY]), Err(VectorError::NotFinite { index: 0 }));
        assert_eq!(unit_fp16(&[0.0, -0.0]), Err(VectorError::Zero));
    }

    #[test]
    fn neither_overflows_nor_underflows() {
        for size in [f32::MAX, 1.0, f32::MIN_POSITIVE, f32::from_bits(1)] {
            let half = f16::from_f32(0.5f32.sqrt());
            assert_eq!(unit_fp16(&[size, -size]), Ok(vec![half, -half]), "{size:e}");
        }
    }

    #[test]
    fn every_product_of_two_fp16_numbers_is_exact_in_fp32() {
        for bits in (0..0x7c00u16).step_by(37) {
            for other in (0..0x7c00u16).step_by(41) {
                let (x, y) = (f16::from_bits(bits), f16::from_bits(other));
                assert_eq!(f64::from(x.to_f32() * y.to_f32()), x.to_f64() * y.to_f64());
            }
        }
    }

    proptest! {
        #[test]
        fn is_near_the_real_dot_and_blind_to_padding(
            pairs in prop::collection::vec((-1.0f32..1.0, -1.0f32..1.0), 1..300)
        ) {
            let (q, x): (Vec<f32>, Vec<f32>) = pairs.into_iter().unzip();
            let (Ok(mut q), Ok(mut x)) = (unit_fp16(&q), unit_fp16(&x)) else { return Ok(()) };
            let real: f64 = q.iter().zip(&x).map(|(q, x)| q.to_f64() * x.to_f64()).sum();
            let value = dot(&q, &x);
            prop_assert!((f64::from(value) - real).abs() < 1e-6, "{value} for {real}");
            prop_assert_eq!(value.to_bits(), dot(&x, &q).to_bits());
            q.resize(q.len().next_multiple_of(64), f16::ZERO);
            x.resize(x.len().next_multiple_of(64), f16::ZERO);
            let wide: Vec<f32> = q.iter().map(|value| value.to_f32()).collect();
            prop_assert_eq!(value.to_bits(), dot_padded(&x, &wide).to_bits());
        }
    }
}
