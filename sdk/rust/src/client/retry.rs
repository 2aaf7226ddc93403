//! Retry policy and backoff: pure arithmetic, so that it can be tested without a clock.
//!
//! Waits double from [`RetryPolicy::first_wait`] to [`RetryPolicy::longest_wait`]. Half of each wait is random, so
//! that clients which failed together do not retry together ("equal jitter", M. Brooker, *Exponential Backoff And
//! Jitter*, AWS Architecture Blog, 2015). A server's `Retry-After` takes precedence.

use std::time::Duration;

use uuid::Uuid;

/// Number of retries and waits between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Maximum number of retries; 0 for none.
    pub retries: u32,
    /// Maximum wait before the first retry.
    pub first_wait: Duration,
    /// Maximum wait before any retry. If a server asks for a longer one, the request is not retried.
    pub longest_wait: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { retries: 4, first_wait: Duration::from_millis(200), longest_wait: Duration::from_secs(20) }
    }
}

impl RetryPolicy {
    /// Policy without retries.
    pub const NEVER: Self = Self { retries: 0, first_wait: Duration::ZERO, longest_wait: Duration::ZERO };

    /// Wait before retry number `retry` (from 0), or `None` for no retry. `asked` is the server's `Retry-After`;
    /// `chance` is in [0, 1).
    pub(super) fn wait(&self, retry: u32, asked: Option<Duration>, chance: f64) -> Option<Duration> {
        if retry >= self.retries {
            return None;
        }
        if let Some(asked) = asked {
            return (asked <= self.longest_wait).then_some(asked);
        }
        let ceiling = self.first_wait.saturating_mul(2_u32.saturating_pow(retry)).min(self.longest_wait);
        Some(ceiling.mul_f64(0.5 + 0.5 * chance.clamp(0.0, 1.0)))
    }
}

/// True for a temporary status: too many requests, or an unavailable server or gateway.
pub(super) fn is_temporary_status(status: u16) -> bool {
    matches!(status, 429 | 502 | 503 | 504)
}

/// Number in [0, 1) from the random bits of an id (the low 62 of a version 4 or 7).
pub(super) fn chance_of(id: Uuid) -> f64 {
    let (_, low) = id.as_u64_pair();
    f64::from((low & u64::from(u32::MAX)) as u32) / (f64::from(u32::MAX) + 1.0)
}

/// Parses a `Retry-After` in seconds. A date is ignored: it would need a clock in agreement with the server's.
pub(super) fn parse_retry_after(header: &str) -> Option<Duration> {
    header.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let policy = RetryPolicy {
            retries: 5,
            first_wait: Duration::from_secs(1),
            longest_wait: Duration::from_secs(5),
        };
        let waits: Vec<_> = (0..6).map(|retry| policy.wait(retry, None, 1.0)).collect();
        assert_eq!(
            waits,
            [Some(1), Some(2), Some(4), Some(5), Some(5), None].map(|s| s.map(Duration::from_secs))
        );
    }

    #[test]
    fn retry_after_takes_precedence_unless_it_is_too_long() {
        let policy = RetryPolicy { longest_wait: Duration::from_secs(5), ..RetryPolicy::default() };
        assert_eq!(policy.wait(0, parse_retry_after(" 3 "), 0.0), Some(Duration::from_secs(3)));
        assert_eq!(policy.wait(0, parse_retry_after("60"), 0.0), None);
        assert_eq!(parse_retry_after("Wed, 21 Oct 2026 07:28:00 GMT"), None);
    }

    proptest! {
        #[test]
        fn a_wait_is_between_half_and_all_of_its_ceiling(retry in 0_u32..80, bits: u128) {
            let policy = RetryPolicy { retries: 100, ..RetryPolicy::default() };
            let wait = policy.wait(retry, None, chance_of(Uuid::from_u128(bits))).unwrap();
            let ceiling = policy.wait(retry, None, 1.0).unwrap();
            prop_assert!(wait <= ceiling && wait >= ceiling / 2);
        }
    }
}
