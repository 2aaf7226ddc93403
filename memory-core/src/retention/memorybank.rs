//! MemoryBank's curve as the paper gives it: R = e^(-t/S), t in days since the memory was learned or last recalled, S its
//! strength, 1 when new (Zhong et al. 2023, arXiv 2305.10250).
//!
//! The released code computes e^(-tS/5) instead, by which a memory that is recalled often fades *faster*. That contradicts
//! the paper, and is not implemented here.

use gpu_retrieval::Decay;

use super::{Curve, History};
use crate::domain::memory::Strength;

const MICROS_PER_DAY: f64 = 86_400_000_000.0;

/// R = e^(-t/S). The history is not looked at: a recall raises S and restarts t.
#[derive(Clone, Copy, Debug, Default)]
pub struct MemoryBankPaper;

impl Curve for MemoryBankPaper {
    fn name(&self) -> &'static str {
        "memorybank.paper"
    }

    fn initial_strength(&self) -> f32 {
        1.0
    }

    fn decay(&self, strength: &Strength, _history: &History<'_>) -> Decay {
        let uses = u32::try_from(strength.uses.count()).unwrap_or(u32::MAX);
        let s_days = (f64::from(strength.strength) + f64::from(uses)).max(f64::from(f32::EPSILON));
        let rate_per_us = std::f64::consts::LOG2_E / (s_days * MICROS_PER_DAY);
        Decay {
            t0_us: strength.refreshed_at().as_micros(),
            rate_per_us: narrow(rate_per_us),
            shape: 0.0,
            importance: narrow(strength.importance),
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the scan computes in f32")]
fn narrow(number: f64) -> f32 {
    number as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;

    /// The table of retention values in the paper's form, to three digits.
    #[test]
    fn retention_agrees_with_the_table_of_the_paper() {
        let learned = Timestamp::from_micros(1_700_000_000_000_000);
        for (strength, hours, expected) in [
            (1.0, 1, 0.959_2),
            (1.0, 8, 0.716_5),
            (1.0, 24, 0.367_9),
            (1.0, 48, 0.135_3),
            (1.0, 168, 0.000_9),
            (5.0, 24, 0.818_7),
            (5.0, 168, 0.246_6),
            (5.0, 720, 0.002_5),
        ] {
            let decay = MemoryBankPaper.decay(&Strength::new(0.5, strength, learned), &History::default());
            let dt = gpu_retrieval::elapsed_us(
                learned.plus_micros(hours * 3_600_000_000).as_micros(),
                decay.t0_us,
            );
            let retention = gpu_retrieval::retention(dt, decay.rate_per_us, decay.shape);
            assert!((retention - expected).abs() < 1e-4, "S {strength}, {hours} h: {retention}");
        }
    }
}
