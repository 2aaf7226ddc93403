//! Reproducible pseudo-random numbers for tests, so that a seed determines every failure.

use crate::domain::split_mix;

/// Pseudo-random number generator ([`split_mix`]).
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// Generator with this seed; equal seeds give equal sequences.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Next 64 bits.
    pub const fn bits(&mut self) -> u64 {
        split_mix::next(&mut self.0)
    }

    /// Number from 0 to `end`, exclusive; 0 if `end` is 0.
    pub fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end.max(1)).unwrap_or(u64::MAX);
        usize::try_from(self.bits() % end).unwrap_or(0)
    }

    /// True with a probability of `percent` in a hundred.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// Element of `several`, which must not be empty.
    pub fn pick<'a, T>(&mut self, several: &'a [T]) -> &'a T {
        &several[self.below(several.len())]
    }
}
