//! `SplitMix64` (Steele et al. 2014, "Fast Splittable Pseudorandom Number Generators") for the tests and benchmarks of this crate,
//! which need reproducible numbers. That of `memory-core` is out of reach: `memory-core` depends on this crate.

/// Next 64 bits of the generator in this state; the seed is the first state.
pub(crate) const fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    /// The first numbers of the reference implementation (Vigna, <https://prng.di.unimi.it/splitmix64.c>).
    #[test]
    fn numbers_of_a_seed_are_those_of_the_reference_implementation() {
        for (seed, expected) in [
            (0, [0xE220_A839_7B1D_CDAF, 0x6E78_9E6A_A1B9_65F4, 0x06C4_5D18_8009_454F]),
            (1_234_567, [0x599E_D017_FB08_FC85, 0x2C73_F084_5854_0FA5, 0x883E_BCE5_A3F2_7C77]),
        ] {
            let mut state = seed;
            assert_eq!([(); 3].map(|()| super::next(&mut state)), expected, "seed {seed}");
        }
    }
}
