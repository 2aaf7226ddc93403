//! `none`: R = 1 always, the baseline without forgetting.

use super::reinforcement::Reinforcements;
use super::{Curve, Fall, State, Trace};
use crate::domain::time::Timestamp;

/// Strength in days. A hundred years stand for never, since JSON has no infinity.
const NEVER_DAYS: f64 = 36_500.0;

/// R = 1.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoForgetting;

impl Curve for NoForgetting {
    fn name(&self) -> &'static str {
        "none"
    }

    fn state(&self, trace: &Trace<'_>, now: Timestamp) -> State {
        let refreshed_at = Reinforcements::until(trace, now).last;
        State { strength: NEVER_DAYS, refreshed_at, fall: Fall::Never }
    }
}
