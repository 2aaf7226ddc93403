//! The bounds of background jobs: leases, attempts, and the pauses between them.

use std::time::Duration;

/// Bounds of the runner. All of them apply to each kind of job separately.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobSettings {
    /// Polling interval for jobs that were not announced in this process: those that become due, and those of other
    /// processes.
    pub poll_every: Duration,
    /// Duration of a lease without a heartbeat. A worker sends a heartbeat every third of this.
    pub lease: Duration,
    /// Number of attempts ended in an error after which a job has failed.
    pub failures_at_most: u32,
    /// Number of attempts after which a job has failed even if none of them ended in an error: it bounds a job that
    /// crashes its process on each attempt. Orderly stops count as well, so this is large.
    pub attempts_at_most: u32,
    /// Pause after the first failed attempt; it doubles with each further one.
    pub first_pause: Duration,
    /// Upper bound of the pause.
    pub longest_pause: Duration,
}

impl Default for JobSettings {
    fn default() -> Self {
        Self {
            poll_every: Duration::from_secs(1),
            lease: Duration::from_secs(60),
            failures_at_most: 8,
            attempts_at_most: 200,
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(5 * 60),
        }
    }
}

impl JobSettings {
    /// Pause after the attempt that was the `failures`th to fail.
    pub fn pause_after(&self, failures: u32) -> Duration {
        let factor = 2u32.saturating_pow(failures.saturating_sub(1));
        self.first_pause.saturating_mul(factor).min(self.longest_pause)
    }

    /// Interval of the heartbeats of a worker.
    pub(super) fn heartbeat(&self) -> Duration {
        (self.lease / 3).max(Duration::from_millis(1))
    }

    pub(super) fn lease_us(&self) -> i64 {
        micros(self.lease)
    }
}

/// A duration in the unit of the clock.
pub(super) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let settings = JobSettings {
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(10),
            ..JobSettings::default()
        };
        let pauses: Vec<u64> =
            [1, 2, 3, 4, 5, 100].map(|failures| settings.pause_after(failures).as_secs()).to_vec();
        assert_eq!(pauses, [1, 2, 4, 8, 10, 10]);
    }
}
