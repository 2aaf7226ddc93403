//! `wixted`: the power law R = m (1 + h t)^(-f), finite at t = 0 (Wickelgren 1974; Wixted and Carpenter 2007, "The Wickelgren
//! power law and the Ebbinghaus savings function", Psychological Science 18, 133-134).
//!
//! m = 1, so that R begins at 1. h and f are our own least-squares fit, under that condition, to the seven savings scores of
//! Ebbinghaus (1885): .582 after 20 min, .442 after 64 min, .358 after 526 min, .337, .278, .254 and .211 after 1, 2, 6 and
//! 31 days; the root mean square error is .019. The law says nothing of recalls. As an extension, t is divided by a strength S
//! that is counted as in `memorybank.paper`, and restarts.

use super::reinforcement::Reinforcements;
use super::{Curve, Fall, State, Trace};
use crate::domain::time::Timestamp;

/// h, per day at strength 1.
const RATE_PER_DAY: f64 = 6_217.5;
/// f, without a unit.
const EXPONENT: f64 = 0.131_18;
/// Increase by a recall of the strength, which is 1 for a new memory: without a unit, a factor on the time.
const PER_RECALL: f64 = 1.0;

/// R = (1 + h t/S)^(-f). [`Trace::initial_strength`] is the S of a new memory. A contradiction is no recall.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wixted;

impl Curve for Wixted {
    fn name(&self) -> &'static str {
        "wixted"
    }

    fn state(&self, trace: &Trace<'_>, now: Timestamp) -> State {
        let Reinforcements { count, last } = Reinforcements::until(trace, now);
        let strength = trace.factor() + PER_RECALL * count;
        let fall = Fall::Power { from: last, per_day: RATE_PER_DAY / strength, exponent: EXPONENT };
        State { strength, refreshed_at: last, fall }
    }
}
