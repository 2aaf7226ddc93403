//! Deterministic random numbers from a seed (SplitMix64): the same seed gives the same world on every machine.

use crate::split_mix;

/// Generator.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// Generator of a seed and of what the numbers are for, so that two worlds of one seed have nothing in common.
    pub(crate) fn new(seed: u64, purpose: &str) -> Self {
        let mixed = purpose.bytes().fold(seed, |state, byte| Self(state ^ u64::from(byte)).next());
        Self(mixed)
    }

    fn next(&mut self) -> u64 {
        split_mix::next(&mut self.0)
    }

    /// Uniform in [0, 1).
    pub(crate) fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform below a bound; 0 for a bound of 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        ((self.share() * bound as f64) as usize).min(bound.saturating_sub(1))
    }

    /// Waiting time until the next event of a Poisson process, for a mean of 1.
    pub(crate) fn wait(&mut self) -> f64 {
        -(1.0 - self.share()).ln()
    }

    /// Numbers below a bound in random order (Fisher and Yates).
    pub(crate) fn order(&mut self, bound: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..bound).collect();
        for last in (1..bound).rev() {
            order.swap(last, self.below(last + 1));
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_numbers_and_another_purpose_others() {
        let numbers = |purpose| {
            let mut random = Random::new(7, purpose);
            [random.share(), random.share(), random.wait()]
        };
        assert_eq!(numbers("states"), numbers("states"));
        assert_ne!(numbers("states"), numbers("needs"));
    }

    #[test]
    fn shares_are_uniform_and_orders_are_permutations() {
        let mut random = Random::new(1, "test");
        let mean = (0..10_000).map(|_| random.share()).sum::<f64>() / 10_000.0;
        assert!((mean - 0.5).abs() < 0.02, "{mean}");
        let waits = (0..10_000).map(|_| random.wait()).sum::<f64>() / 10_000.0;
        assert!((waits - 1.0).abs() < 0.05, "{waits}");
        let mut order = random.order(50);
        order.sort_unstable();
        assert_eq!(order, Vec::from_iter(0..50));
        assert_eq!((random.below(1), random.below(0)), (0, 0));
    }
}
