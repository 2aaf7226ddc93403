//! The fused score: a weighted sum of similarity, retention and importance.
//!
//! Ranking, not only similarity, is exact. The invariant: the score is a non-decreasing function of the dot product
//! (weights are not negative, rounding is monotone), which the int8 bound relies on; it is never NaN and never −0, so
//! comparing numbers and comparing bits agree.

/// The largest weight. Beyond it a caller has confused units.
pub const MAX_WEIGHT: f32 = 65_536.0;

/// Weights of the terms of a score: finite, from 0 to [`MAX_WEIGHT`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weights {
    /// Of the dot product of the unit vectors.
    pub similarity: f32,
    /// Of the retention, a share in [0, 1].
    pub retention: f32,
    /// Of the importance stored with the row.
    pub importance: f32,
}

impl Weights {
    /// Similarity alone.
    pub const SIMILARITY: Self = Self { similarity: 1.0, retention: 0.0, importance: 0.0 };

    pub(crate) fn is_valid(&self) -> bool {
        [self.similarity, self.retention, self.importance]
            .iter()
            .all(|weight| (0.0..=MAX_WEIGHT).contains(weight))
    }

    /// With a +0 for every −0, so that no product has a sign that the weight did not mean.
    pub(crate) fn positive_zeros(self) -> Self {
        Self {
            similarity: self.similarity + 0.0,
            retention: self.retention + 0.0,
            importance: self.importance + 0.0,
        }
    }
}

/// The part of a score that does not depend on the query's vector: `fma(w_ret, R, w_imp·importance)`.
///
/// With `w_ret = 0` any retention in [0, 1] gives the same bits, so it need not be computed.
#[inline(always)]
#[must_use]
pub fn bias(weights: &Weights, retention: f32, importance: f32) -> f32 {
    weights.retention.mul_add(retention, weights.importance * importance)
}

/// The score: `fma(w_sim, dot, bias) + 0`; the addition turns a −0 into +0 and changes nothing else.
///
/// A finite importance may overflow the score to an infinity, which orders as it should.
#[inline(always)]
#[must_use]
pub fn fuse(weights: &Weights, dot: f32, bias: f32) -> f32 {
    weights.similarity.mul_add(dot, bias) + 0.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn weights_out_of_range_are_told() {
        assert!(Weights::SIMILARITY.is_valid());
        for bad in [f32::NAN, f32::INFINITY, -1.0, MAX_WEIGHT.next_up()] {
            assert!(!Weights { retention: bad, ..Weights::SIMILARITY }.is_valid());
        }
    }

    proptest! {
        #[test]
        fn is_never_nan_never_minus_zero_and_monotone(
            similarity in 0.0f32..MAX_WEIGHT, retention in 0.0f32..MAX_WEIGHT, importance in 0.0f32..MAX_WEIGHT,
            low in -1.02f32..1.02, high in -1.02f32..1.02, left in 0.0f32..=1.0, bits in any::<u32>(),
        ) {
            let value = f32::from_bits(bits);
            let value = if value.is_finite() { value } else { -0.0 };
            for weights in [
                Weights { similarity, retention, importance },
                Weights { similarity: -0.0, retention: -0.0, importance: -0.0 }.positive_zeros(),
                Weights { similarity, retention: 0.0, importance },
            ] {
                let (low, high) = (low.min(high), low.max(high));
                let bias_ = bias(&weights, left, value);
                let (worse, better) = (fuse(&weights, low, bias_), fuse(&weights, high, bias_));
                prop_assert!(worse <= better && !worse.is_nan() && !better.is_nan());
                prop_assert!(worse.to_bits() != (-0.0f32).to_bits());
                if weights.retention == 0.0 {
                    let unread = fuse(&weights, low, bias(&weights, 0.0, value));
                    prop_assert_eq!(worse.to_bits(), unread.to_bits());
                }
            }
        }
    }
}
