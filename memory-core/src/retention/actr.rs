//! `actr`: base-level activation of ACT-R as a probability of recall, P = 1 / (1 + e^((tau - B)/s)) (Anderson and Schooler 1991,
//! "Reflections of the environment in memory", Psychological Science 2; constants in `activation.rs`).
//!
//! Ages are in days; B and tau shift together with the unit. The decay d = .5 is ACT-R's. Tau and s have no published values for
//! agents: s = .4 is in the middle of the range in use, and tau is chosen such that a memory without uses has R = .5 after
//! 30 days. P is below 1 even for the age of one minute, by 2e-6.

use super::activation::EXACT_USES;
use super::{Activation, Curve, Fall, State, Trace};
use crate::domain::time::Timestamp;
use crate::domain::uses::UseKind;

/// P = 1 / (1 + e^((tau - B)/s)). Its strength is e^B, the sum of t^(-1/2) at `now`, in days^(-1/2).
/// [`Trace::initial_strength`] is a factor on the 30 days. A contradiction is no use.
#[derive(Clone, Copy, Debug, Default)]
pub struct ActR;

impl Curve for ActR {
    fn name(&self) -> &'static str {
        "actr"
    }

    fn state(&self, trace: &Trace<'_>, now: Timestamp) -> State {
        let first = trace.learned_at;
        let uses = || trace.uses.until(now).iter().filter(|one| one.kind != UseKind::Contradicted);
        let (earlier, kept) = (f64::from(trace.uses.earlier_until(now)), uses().count());
        let mut newest = [None; EXACT_USES];
        for (place, one) in newest.iter_mut().zip(uses().rev()) {
            *place = Some(one.at.max(first));
        }
        // With room left, learning itself is one of the exact uses.
        let mut others = earlier + count(kept.saturating_sub(EXACT_USES)) + 1.0;
        if let (Some(place), true) = (newest.get_mut(kept), earlier == 0.0) {
            *place = Some(first);
            others = 0.0;
        }
        let activation = Activation { first, newest, others, strength: trace.factor() };
        let refreshed_at = uses().next_back().map_or(first, |one| one.at.max(first));
        State { strength: activation.sum(now), refreshed_at, fall: Fall::Activation(activation) }
    }
}

/// A number of kept uses.
fn count(uses: usize) -> f64 {
    u32::try_from(uses).map_or(0.0, f64::from)
}
