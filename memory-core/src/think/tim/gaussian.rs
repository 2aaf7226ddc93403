//! Counter-based Gaussian generator: the standard normal draw at a position, the same on every platform.
//!
//! A draw is a pure function of its key, so that a matrix needs neither storage nor an order in which it is filled. The
//! integer mixer is the finaliser of [`SplitMix64`](crate::domain::split_mix). The transform is Marsaglia's polar method (1964). Invariant: only IEEE 754 operations that are exactly rounded are used
//! (`+ - * /` and the square root); the logarithm is a series of those, because the last bit of a library's differs from
//! platform to platform.

use crate::domain::split_mix::{INCREMENT as GOLDEN, finalise as mix};

/// Position of a draw.
#[derive(Clone, Copy, Debug)]
pub(super) struct Position {
    pub(super) table: u32,
    pub(super) row: u32,
    pub(super) column: u32,
}

/// Attempts of the polar method at most; each is accepted with probability pi / 4, so that all fail once in 2^142 draws.
const MAX_ATTEMPTS: u32 = 64;

/// The standard normal draw of a seed at a position.
pub(super) fn standard_normal(seed: u64, at: Position) -> f64 {
    let table = mix(mix(seed.wrapping_add(GOLDEN)) ^ u64::from(at.table).wrapping_mul(GOLDEN));
    let cell = mix(table ^ (u64::from(at.row) << 32 | u64::from(at.column)).wrapping_mul(GOLDEN));
    for attempt in 0..MAX_ATTEMPTS {
        let counter = cell.wrapping_add(u64::from(2 * attempt + 1).wrapping_mul(GOLDEN));
        let one = symmetric_uniform(mix(counter));
        let other = symmetric_uniform(mix(counter.wrapping_add(GOLDEN)));
        let square = one * one + other * other;
        if square > 0.0 && square < 1.0 {
            return one * (-2.0 * natural_logarithm(square) / square).sqrt();
        }
    }
    0.0
}

/// Uniform in [-1, 1), a multiple of 2^-52: every step is exact.
fn symmetric_uniform(bits: u64) -> f64 {
    const UNIT: f64 = 1.0 / (1_u64 << 52) as f64;
    (bits >> 11) as f64 * UNIT - 1.0
}

/// Terms of the series of the logarithm: the first one left out is below 2^-60 of the sum.
const LOGARITHM_TERMS: u32 = 12;

/// Natural logarithm of a normal number above 0, within a few units in the last place: `e ln 2 + 2 atanh(z)` with
/// `z = (m - 1) / (m + 1)` for the mantissa `m` in [sqrt 1/2, sqrt 2).
fn natural_logarithm(number: f64) -> f64 {
    const MANTISSA_BITS: u32 = 52;
    const EXPONENT_BIAS: i32 = 1_023;
    let bits = number.to_bits();
    let mut exponent = i32::try_from(bits >> MANTISSA_BITS).unwrap_or(0) - EXPONENT_BIAS;
    let mantissa_mask = (1_u64 << MANTISSA_BITS) - 1;
    let mut mantissa = f64::from_bits(bits & mantissa_mask | 1.0_f64.to_bits());
    if mantissa >= std::f64::consts::SQRT_2 {
        mantissa *= 0.5;
        exponent += 1;
    }
    let z = (mantissa - 1.0) / (mantissa + 1.0);
    let square = z * z;
    let mut series = 0.0;
    for term in (0..LOGARITHM_TERMS).rev() {
        series = series * square + 1.0 / f64::from(2 * term + 1);
    }
    f64::from(exponent) * std::f64::consts::LN_2 + 2.0 * z * series
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(seed: u64, number: u32) -> f64 {
        standard_normal(seed, Position { table: 0, row: number, column: 3 })
    }

    #[test]
    fn the_logarithm_agrees_with_the_library_to_a_few_units_in_the_last_place() {
        for number in [1e-30, 1e-9, 0.1, 0.5, 0.70, 0.71, 0.999_999, 1.0, 1.4, 1.5, 3.0, 1e12] {
            let (own, library) = (natural_logarithm(number), f64::ln(number));
            assert!((own - library).abs() <= 4e-16 * library.abs().max(1e-3), "{number}: {own}, {library}");
        }
    }

    #[test]
    fn draws_have_the_moments_and_the_tails_of_the_standard_normal() {
        let draws: Vec<f64> = (0..100_000).map(|number| draw(7, number)).collect();
        let count = f64::from(100_000);
        let moment = |power: i32| draws.iter().map(|draw| draw.powi(power)).sum::<f64>() / count;
        assert!(moment(1).abs() < 0.015, "mean {}", moment(1));
        assert!((moment(2) - 1.0).abs() < 0.02, "variance {}", moment(2));
        assert!(moment(3).abs() < 0.05, "third moment {}", moment(3));
        assert!((moment(4) - 3.0).abs() < 0.15, "fourth moment {}", moment(4));
        for (bound, share) in [(0.5, 0.308_54), (1.0, 0.158_66), (2.0, 0.022_75), (3.0, 0.001_35)] {
            let above = draws.iter().filter(|draw| **draw > bound).count() as f64 / count;
            assert!((above - share).abs() < 0.006_f64.min(share), "above {bound}: {above}, not {share}");
        }
    }

    #[test]
    fn draws_at_adjacent_positions_are_uncorrelated() {
        let at = |table, row, column| standard_normal(11, Position { table, row, column });
        let neighbours: [&dyn Fn(u32) -> f64; 4] =
            [&|row| at(0, row + 1, 5), &|row| at(0, row, 6), &|row| at(1, row, 5), &|row| {
                standard_normal(12, Position { table: 0, row, column: 5 })
            }];
        for neighbour in neighbours {
            let product: f64 = (0..20_000).map(|row| at(0, row, 5) * neighbour(row)).sum();
            assert!((product / 20_000.0).abs() < 0.03, "correlation {}", product / 20_000.0);
        }
    }

    /// To the bit, computed by another program (Python): a failure here moves every thought of every store to another
    /// bucket.
    #[test]
    fn draws_of_a_seed_are_the_pinned_ones() {
        let pinned = [
            (0, 0xbfda_f574_e8c9_b6b2),
            (1, 0x3fc1_5e61_73ef_eeee),
            (4_711, 0xbfa1_07db_daa4_db1c),
            (u64::MAX, 0x3ffb_5a4a_825d_2043),
        ];
        for (seed, bits) in pinned {
            assert_eq!(draw(seed, 1).to_bits(), bits, "seed {seed}: {:#x}", draw(seed, 1).to_bits());
        }
    }
}
