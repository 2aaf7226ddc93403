//! Seeds of random tests: few and fixed in the normal form of the tests, many and random in the long form.
//!
//! The first seed is read from the variable that proptest reads as well, so that one number repeats a whole run:
//! `.cargo/config.toml` sets it for every `cargo test`, `make test-long` to a random number that it prints.
//! Invariant: the same environment, the same seeds.

use std::ops::Range;

/// The environment variable that holds the first seed, a whole number; proptest's own name.
pub const SEED_VARIABLE: &str = "PROPTEST_RNG_SEED";

/// The environment variable that asks for the long form of the tests, by the value 1.
pub const LONG_FORM_VARIABLE: &str = "ENGRAIN_TEST_LONG";

/// Whether the long form of the tests is asked for.
pub fn is_long_form() -> bool {
    std::env::var(LONG_FORM_VARIABLE).is_ok_and(|value| value == "1")
}

/// The first seed of a test: that of the environment, else 0.
pub fn first_seed() -> u64 {
    parse_seed(std::env::var(SEED_VARIABLE).ok().as_deref())
}

/// The seeds that a test tries, one after the other: `few` in the normal form, `many` in the long form.
pub fn seeds(few: u64, many: u64) -> Range<u64> {
    seeds_from(first_seed(), if is_long_form() { many } else { few })
}

/// A value that is no seed ("random") is taken as 0, so that a test never fails for its environment.
fn parse_seed(value: Option<&str>) -> u64 {
    value.and_then(|value| value.parse().ok()).unwrap_or(0)
}

fn seeds_from(first: u64, number: u64) -> Range<u64> {
    let first = first.min(u64::MAX - number);
    first..first + number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_whole_number_and_else_zero() {
        assert_eq!(parse_seed(Some("4711")), 4711);
        for no_seed in [None, Some(""), Some("random"), Some("-1")] {
            assert_eq!(parse_seed(no_seed), 0);
        }
    }

    #[test]
    fn a_test_tries_its_number_of_seeds_wherever_they_begin() {
        assert_eq!(seeds_from(7, 3), 7..10);
        assert_eq!(seeds_from(u64::MAX, 3).count(), 3);
    }
}
