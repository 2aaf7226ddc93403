//! `none`: R = 1 always, the baseline without forgetting.

use super::reinforcement::Reinforcements;
use super::{Curve, Fall, State, Trace};
use crate::domain::time::Timestamp;

/// R = 1. Its strength is infinite.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoForgetting;

impl Curve for NoForgetting {
    fn name(&self) -> &'static str {
        "none"
    }

    fn state(&self, trace: &Trace<'_>, now: Timestamp) -> State {
        let refreshed_at = Reinforcements::until(trace, now).last;
        State { strength: f64::INFINITY, refreshed_at, fall: Fall::Never }
    }
}
