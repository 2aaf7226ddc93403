//! Statistics of shares: Wilson's interval (Wilson 1927), and the exact test of paired differences (McNemar).

/// Quantile of the normal distribution for a two-sided interval of 95 %.
const Z: f64 = 1.959_963_984_540_054;

/// Share of successes with its interval of 95 %.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub(crate) struct Share {
    /// Number of trials.
    pub(crate) n: usize,
    /// Share of successes; 0 without a trial.
    pub(crate) share: f64,
    /// Lower end of the interval.
    pub(crate) low: f64,
    /// Upper end of the interval.
    pub(crate) high: f64,
}

impl Share {
    /// Share of the outcomes that are true.
    pub(crate) fn of(outcomes: impl IntoIterator<Item = bool>) -> Self {
        let (mut n, mut successes) = (0_usize, 0_usize);
        for outcome in outcomes {
            n += 1;
            successes += usize::from(outcome);
        }
        if n == 0 {
            return Self { high: 1.0, ..Self::default() };
        }
        let (trials, share) = (n as f64, successes as f64 / n as f64);
        let scale = 1.0 + Z * Z / trials;
        let middle = (share + Z * Z / (2.0 * trials)) / scale;
        let half = Z / scale * (share * (1.0 - share) / trials + Z * Z / (4.0 * trials * trials)).sqrt();
        Self { n, share, low: (middle - half).max(0.0), high: (middle + half).min(1.0) }
    }
}

/// Two-sided p-value of McNemar's exact test: of the pairs that differ, as many or more go one way by chance alone.
pub(crate) fn mcnemar(pairs: impl IntoIterator<Item = (bool, bool)>) -> f64 {
    let (mut first, mut second) = (0_u32, 0_u32);
    for (one, other) in pairs {
        first += u32::from(one && !other);
        second += u32::from(other && !one);
    }
    let (n, less) = (first + second, first.min(second));
    // Sum of the binomial terms up to the smaller count, in logarithms: n may be in the thousands.
    let (mut term, mut sum) = (-f64::from(n) * 2_f64.ln(), 0.0);
    for k in 0..=less {
        sum += term.exp();
        term += f64::from(n - k).ln() - f64::from(k + 1).ln();
    }
    (2.0 * sum).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, expected: f64) {
        assert!((found - expected).abs() < 5e-4, "{found} for {expected}");
    }

    /// Newcombe 1998, table I: 81 of 263, and 0 of 20.
    #[test]
    fn wilsons_interval_has_its_published_values() {
        let found = Share::of((0..263).map(|at| at < 81));
        near(found.low, 0.2553);
        near(found.high, 0.3662);
        let none = Share::of([false; 20]);
        near(none.low, 0.0);
        near(none.high, 0.1611);
        assert_eq!(Share::of([]).high, 1.0);
    }

    #[test]
    fn the_exact_test_of_pairs_has_binomial_values() {
        let pairs = |one: usize, other: usize| {
            let first = std::iter::repeat_n((true, false), one);
            first.chain(std::iter::repeat_n((false, true), other)).chain([(true, true), (false, false)])
        };
        near(mcnemar(pairs(0, 0)), 1.0);
        near(mcnemar(pairs(0, 5)), 0.0625);
        near(mcnemar(pairs(3, 9)), 0.146);
        near(mcnemar(pairs(0, 2_000)), 0.0);
    }
}
