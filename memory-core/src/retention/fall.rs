//! R between two uses: the shapes in which curves fall, with their values, inverses and parameters for the scan.
//!
//! A curve maps a trace to one of these; only this file computes R from it. So every curve has the same care for clock skew and
//! for numbers at the ends of their range.

use std::f64::consts::LOG2_E;

use gpu_retrieval::Decay;

use super::activation::Activation;
use super::elapsed::{MICROS_PER_DAY, days_between, midnights_between, plus_days};
use crate::domain::time::Timestamp;

/// R as a function of the time since `from`; 1 up to `from`. Rates and exponents are finite and not negative.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fall {
    /// R = 1.
    Never,
    /// R = e^(-rate t).
    Exponential {
        /// Begin of the fall.
        from: Timestamp,
        /// Rate per day.
        per_day: f64,
    },
    /// R = (1 + rate t)^(-exponent).
    Power {
        /// Begin of the fall.
        from: Timestamp,
        /// Rate per day.
        per_day: f64,
        /// Exponent, without a unit.
        exponent: f64,
    },
    /// R = e^(-rate d), where d is the number of midnights in UTC since `from`.
    DailySteps {
        /// Begin of the fall.
        from: Timestamp,
        /// Rate per day.
        per_day: f64,
    },
    /// Probability of recall by base-level activation.
    Activation(Activation),
}

impl Fall {
    /// R at `now`.
    pub fn at(&self, now: Timestamp) -> f64 {
        let retention = match *self {
            Self::Never => 1.0,
            Self::Exponential { from, per_day } => (-per_day * days_between(from, now)).exp(),
            Self::Power { from, per_day, exponent } => {
                (1.0 + per_day * days_between(from, now)).powf(-exponent)
            }
            Self::DailySteps { from, per_day } => (-per_day * midnights_between(from, now)).exp(),
            Self::Activation(activation) => activation.probability(now),
        };
        retention.clamp(0.0, 1.0)
    }

    /// About the moment from which R < `below`; `None` if there is no formula for it. Off by rounding.
    pub fn about_when(&self, below: f64) -> Option<Timestamp> {
        match *self {
            Self::Never | Self::Activation(_) => None,
            Self::Exponential { from, per_day } => Some(plus_days(from, -below.ln() / per_day)),
            Self::Power { from, per_day, exponent } => {
                Some(plus_days(from, (below.powf(-exponent.recip()) - 1.0) / per_day))
            }
            Self::DailySteps { from, per_day } => {
                let midnight = Timestamp::from_micros(0).plus_days(from.day());
                Some(plus_days(midnight, (-below.ln() / per_day).floor() + 1.0))
            }
        }
    }

    /// Parameters for the scan; `None` for a shape that it does not know.
    pub fn decay(&self, importance: f64) -> Option<Decay> {
        let importance = narrow(importance);
        match *self {
            Self::Never => Some(Decay { importance, ..Decay::default() }),
            Self::Exponential { from, per_day } => Some(Decay {
                t0_us: from.as_micros(),
                rate_per_us: narrow(per_day * LOG2_E / MICROS_PER_DAY),
                shape: 0.0,
                importance,
            }),
            Self::Power { from, per_day, exponent } => Some(Decay {
                t0_us: from.as_micros(),
                rate_per_us: narrow(per_day / MICROS_PER_DAY),
                shape: narrow(exponent),
                importance,
            }),
            Self::DailySteps { .. } | Self::Activation(_) => None,
        }
    }
}

/// The number in f32, in which the scan computes; 0 if it is none.
#[expect(clippy::cast_possible_truncation, reason = "the scan computes in f32; bounds keep out infinity")]
fn narrow(number: f64) -> f32 {
    if number.is_nan() { 0.0 } else { number.clamp(f64::from(f32::MIN), f64::from(f32::MAX)) as f32 }
}
