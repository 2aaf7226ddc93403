//! Bounds of the decays of a tile: what retention and importance no row of it exceeds.
//!
//! They let a scan prune a tile by 12 bytes instead of reading 2 KB of metadata and evaluating 64 curves. Invariant: no row
//! of the tile was pushed or changed without being included. Deleted rows and replaced decays stay included, which only
//! loosens the bounds; compaction makes them tight again.

use super::row::Decay;

/// Largest and least parameters of the rows of a tile, by family of curves.
///
/// Numbers have 16 bits, rounded in the direction that keeps them bounds: 12 bytes a tile, 8 bits of precision.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct DecayBounds {
    /// The start of the newest decay, in units of 2^32 µs (72 minutes), rounded down.
    newest: i32,
    /// The least rate of exponential rows; infinity if there are none.
    exponential_rate: Least,
    /// The least rate of power-law rows; infinity if there are none.
    power_rate: Least,
    /// The least shape of power-law rows; infinity if there are none.
    power_shape: Least,
    /// The largest importance, rounded up.
    importance: u16,
}

/// A lower bound of numbers that are not negative: the upper half of an fp32 number, which rounds towards 0.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Least(u16);

impl Least {
    const NONE: Self = Self(upper_half(f32::INFINITY));

    fn include(&mut self, value: f32) {
        *self = Self(upper_half(self.value().min(value)));
    }

    fn value(self) -> f32 {
        widened(self.0)
    }
}

/// The upper half of an fp32 number.
const fn upper_half(value: f32) -> u16 {
    let [high, low, _, _] = value.to_be_bytes();
    u16::from_be_bytes([high, low])
}

/// The fp32 number with this upper half and a lower half of 0.
fn widened(upper: u16) -> f32 {
    f32::from_bits(u32::from(upper) << 16)
}

/// The upper half of the least such number that is not below a finite value.
fn rounded_up(value: f32) -> u16 {
    let upper = upper_half(value);
    // Cut off is a part of the magnitude: a negative number has grown by it, a positive one has shrunk.
    if widened(upper) < value { upper + 1 } else { upper }
}

impl DecayBounds {
    /// Of a tile without rows.
    pub(crate) const EMPTY: Self = Self {
        newest: i32::MIN,
        exponential_rate: Least::NONE,
        power_rate: Least::NONE,
        power_shape: Least::NONE,
        importance: upper_half(f32::MIN),
    };

    /// Extends the bounds by a row.
    pub(crate) fn include(&mut self, decay: Decay) {
        // The shift leaves 32 bits.
        let unit = i32::try_from(decay.t0_us >> UNIT_BITS).unwrap_or(i32::MAX);
        self.newest = self.newest.max(unit);
        if decay.shape == 0.0 {
            self.exponential_rate.include(decay.rate_per_us);
        } else {
            self.power_rate.include(decay.rate_per_us);
            self.power_shape.include(decay.shape);
        }
        self.importance = rounded_up(widened(self.importance).max(decay.importance));
    }

    /// A finite number that the importance of no row exceeds.
    #[inline]
    pub(crate) fn importance(&self) -> f32 {
        widened(self.importance).min(f32::MAX)
    }

    /// A number that the computed retention of no row exceeds, given the kernel that computes it.
    ///
    /// Retention falls with age, rate and shape, but only up to rounding. Age and `u = fma(a, dt, 1)` are exactly monotone;
    /// `log2`, its product with the shape and `exp2` are each within 2·2^−24 of the real value. The exponents of row
    /// and bound therefore compare up to a share of 6·2^−24, which at the largest exponent, 126, is a factor of 1 + 3.2e-5.
    /// An exponent of the bound beyond that gives 0: a row's result is at most 2^−125.
    pub(crate) fn retention(&self, computed: impl Fn(Decay) -> f32) -> f32 {
        let newest_us = i64::from(self.newest) << UNIT_BITS | ((1 << UNIT_BITS) - 1);
        let slowest = |rate_per_us: f32, shape| {
            let decay = Decay { t0_us: newest_us, rate_per_us, shape, importance: 0.0 };
            // Stored rates are finite: this family has rows.
            if rate_per_us.is_finite() { computed(decay) } else { 0.0 }
        };
        let exponential = slowest(self.exponential_rate.value(), 0.0);
        let power = slowest(self.power_rate.value(), self.power_shape.value());
        (exponential.max(power) * ROUNDING + LEAST).min(1.0)
    }
}

/// Bits of a time in µs that are not kept.
const UNIT_BITS: u32 = 32;

/// See [`DecayBounds::retention`].
const ROUNDING: f32 = 1.0 + 1e-4;

/// See [`DecayBounds::retention`].
const LEAST: f32 = 2.0 * f32::MIN_POSITIVE;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::scoring::{elapsed_us, retention};

    fn decay() -> impl Strategy<Value = Decay> {
        let rate = prop_oneof![
            Just(0.0f32),
            Just(f32::MAX),
            0.0f32..1e-9,
            any::<u32>().prop_map(|bits| f32::from_bits(bits >> 1))
        ];
        let shape = prop_oneof![
            2 => Just(0.0f32), 2 => 0.0f32..3.0, 1 => any::<u32>().prop_map(|bits| f32::from_bits(bits >> 1))
        ];
        let t0_us = prop_oneof![any::<i64>(), -1000i64..1000, (-1i64 << 41)..(1i64 << 41)];
        (
            t0_us,
            rate,
            shape,
            prop_oneof![-10.0f32..10.0, Just(0.0), Just(f32::MAX), Just(f32::MIN), Just(-1e-40)],
        )
            .prop_map(|(t0_us, rate_per_us, shape, importance)| Decay {
                t0_us,
                rate_per_us,
                shape,
                importance,
            })
            .prop_filter("stored", |decay| decay.rate_per_us.is_finite() && decay.shape.is_finite())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn no_row_exceeds_the_bounds_of_its_tile(
            rows in prop::collection::vec(decay(), 1..6), far in any::<i64>(), near in -2000i64..2000
        ) {
            let mut bounds = DecayBounds::EMPTY;
            rows.iter().for_each(|row| bounds.include(*row));
            for now_us in [far, near, 1 << 41] {
                let computed = |of: Decay| retention(elapsed_us(now_us, of.t0_us), of.rate_per_us, of.shape);
                let most = bounds.retention(computed);
                prop_assert!((0.0..=1.0).contains(&most));
                for row in &rows {
                    prop_assert!(computed(*row) <= most, "{row:?}: {} > {most}", computed(*row));
                    prop_assert!(row.importance <= bounds.importance() && bounds.importance().is_finite());
                }
            }
        }

        /// Parameters that differ in their last bits are where rounding could break the order.
        #[test]
        fn rounding_of_nearly_equal_rows_is_within_the_bounds(
            rate in 1e-12f32..1e-8, shape in prop_oneof![Just(0.0f32), 1e-3f32..60.0], age in 0i64..1 << 36,
            steps in (0u32..4, 0u32..4, 0i64..3),
        ) {
            let base = Decay { t0_us: 0, rate_per_us: rate, shape, importance: 0.0 };
            let up = |value: f32, steps| if value == 0.0 { value } else { f32::from_bits(value.to_bits() + steps) };
            let row = Decay {
                t0_us: -steps.2, rate_per_us: up(rate, steps.0), shape: up(shape, steps.1), importance: 0.0
            };
            let mut bounds = DecayBounds::EMPTY;
            bounds.include(base);
            bounds.include(row);
            let computed = |of: Decay| retention(elapsed_us(age, of.t0_us), of.rate_per_us, of.shape);
            prop_assert!(computed(row).max(computed(base)) <= bounds.retention(computed));
        }
    }
}
