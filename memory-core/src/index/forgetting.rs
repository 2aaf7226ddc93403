//! Forgetting of a view: the policy by which retention is evaluated, and whether forgotten memories pass.

use std::sync::Arc;

use crate::domain::memory::Memory;
use crate::domain::time::Timestamp;
use crate::retention::Policy;

/// Forgetting of a view.
#[derive(Clone, Debug, PartialEq)]
pub struct Forgetting {
    /// Policy: curve and factors of the retention, and what is forgotten with which effect.
    pub policy: Arc<Policy>,
    /// True to let forgotten memories pass.
    pub includes_forgotten: bool,
}

impl Forgetting {
    /// The policy, if memories can be hidden by it.
    pub fn hiding(&self) -> Option<&Policy> {
        (!self.includes_forgotten && self.policy.hides_forgotten()).then_some(&*self.policy)
    }

    /// True if a memory is hidden at `now` because it is forgotten.
    pub fn hides(&self, memory: &Memory, now: Timestamp) -> bool {
        self.hiding().is_some_and(|policy| policy.forgotten(memory, now).is_some())
    }
}
