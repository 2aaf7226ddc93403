//! Seeds of randomised tests: few and fixed in the normal form of the tests, many and random in the long form.
//!
//! The first seed is read from proptest's own environment variable, so that one number reproduces a whole run:
//! `.cargo/config.toml` sets it for every `cargo test`, `make test-long` to a random number that it prints. Invariant:
//! the same environment gives the same seeds.

use std::ops::Range;

/// Environment variable of the first seed, a whole number; proptest's own name.
pub const SEED_VARIABLE: &str = "PROPTEST_RNG_SEED";

/// Environment variable that selects the long form of the tests, with the value 1.
pub const LONG_FORM_VARIABLE: &str = "ENGRAIN_TEST_LONG";

/// True in the long form of the tests.
pub fn is_long_form() -> bool {
    std::env::var(LONG_FORM_VARIABLE).is_ok_and(|value| value == "1")
}

/// First seed of a test: that of the environment, else 0.
pub fn first_seed() -> u64 {
    parse_seed(std::env::var(SEED_VARIABLE).ok().as_deref())
}

/// Seeds of a test, in order: `few` in the normal form, `many` in the long form.
pub fn seeds(few: u64, many: u64) -> Range<u64> {
    seeds_from(first_seed(), if is_long_form() { many } else { few })
}

/// Seed in a value; 0 if it is not a number ("random"), so that a test never fails because of its environment.
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
    fn a_seed_that_is_not_a_whole_number_is_zero() {
        assert_eq!(parse_seed(Some("4711")), 4711);
        for no_seed in [None, Some(""), Some("random"), Some("-1")] {
            assert_eq!(parse_seed(no_seed), 0);
        }
    }

    #[test]
    fn a_test_has_its_number_of_seeds_from_any_first_seed() {
        assert_eq!(seeds_from(7, 3), 7..10);
        assert_eq!(seeds_from(u64::MAX, 3).count(), 3);
    }
}
