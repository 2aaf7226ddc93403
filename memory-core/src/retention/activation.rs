//! Base-level activation of ACT-R in constant time: B = ln of the sum of t_j^(-d) over all uses j, t_j the age of a use
//! (Anderson and Schooler 1991), with the newest k = 3 uses exact and the others approximated (Petrov 2006, "Computationally
//! Efficient Approximation of the Base-Level Learning Equation in ACT-R", ICCM).
//!
//! d = 1/2, the value that ACT-R uses throughout. It makes the approximation, the mean of t^(-d) between the ages of the k-th and
//! of the oldest use, simply 2 / (sqrt t_k + sqrt t_n).

use super::elapsed::days_between;
use crate::domain::time::Timestamp;

/// Number of newest uses that count with their exact ages.
pub(super) const EXACT_USES: usize = 3;
/// Least age of a use, days: one minute, because the activation of a use at age 0 is infinite.
const LEAST_AGE_DAYS: f64 = 1.0 / 1_440.0;
/// Age of the only use of a memory at which R = 1/2, days at initial strength 1. It stands for the threshold
/// tau = -d ln 30 = -1.70 of activations in days.
const HALF_AT_DAYS: f64 = 30.0;
/// Noise s of activations, without a unit.
const NOISE: f64 = 0.4;

/// Uses of a memory, as far as its activation depends on them. Learning is the first use.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Activation {
    /// Time of learning.
    pub(super) first: Timestamp,
    /// Times of the newest uses, none before `first`.
    pub(super) newest: [Option<Timestamp>; EXACT_USES],
    /// Number of the other uses.
    pub(super) others: f64,
    /// Factor on [`HALF_AT_DAYS`].
    pub(super) strength: f64,
}

impl Activation {
    /// Probability of recall at `now`, 1 / (1 + e^((tau - B)/s)); 1 up to the time of learning.
    pub fn probability(&self, now: Timestamp) -> f64 {
        if now <= self.first {
            return 1.0;
        }
        let threshold = (HALF_AT_DAYS * self.strength).sqrt().recip();
        (1.0 + (threshold / self.sum(now)).powf(NOISE.recip())).recip()
    }

    /// e^B at `now`: the sum of t^(-1/2) over all uses, t in days.
    pub(super) fn sum(&self, now: Timestamp) -> f64 {
        let age = |at: Timestamp| days_between(at, now).max(LEAST_AGE_DAYS);
        sum_of_uses(self.newest.iter().flatten().map(|at| age(*at)), self.others, age(self.first))
    }
}

/// Sum of t^(-1/2) over uses of these ages, newest first, and `others` older ones, of which the oldest has the age `oldest`.
pub(super) fn sum_of_uses(newest: impl Iterator<Item = f64>, others: f64, oldest: f64) -> f64 {
    let (mut sum, mut last) = (0.0, None);
    for age in newest {
        sum += age.sqrt().recip();
        last = Some(age);
    }
    sum + others * 2.0 / (last.unwrap_or(oldest).sqrt() + oldest.sqrt())
}
