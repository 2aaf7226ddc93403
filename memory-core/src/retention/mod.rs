//! Forgetting curves: how a memory's retention falls with time. A curve is pure; it knows no clock and no store.
//!
//! The scan evaluates retention from four numbers per row at the instant of the query (`gpu_retrieval::retention`), so a
//! curve maps what is known of a memory to these numbers. `docs/adding/curve.md` tells how to add one.

mod memorybank;

use std::fmt::Debug;

use gpu_retrieval::Decay;

pub use memorybank::MemoryBankPaper;

use crate::domain::memory::Strength;
use crate::domain::time::Timestamp;

/// Recalls of a memory.
#[derive(Clone, Copy, Debug, Default)]
pub struct History<'a> {
    /// Times of the recalls, oldest first; empty where only the strength is known.
    pub recalled_at: &'a [Timestamp],
}

/// Forgetting curve.
///
/// Contract: the retention that follows from [`decay`](Self::decay) is within 0 and 1 and never rises with time while the
/// memory is not recalled; no input gives a number that the scan refuses. One curve is in use in a process; the strength
/// that it defines is stored, so a change of curve reads the same numbers in its own way.
pub trait Curve: Send + Sync + Debug {
    /// Name in configuration and explanations, such as `memorybank.paper`.
    fn name(&self) -> &'static str;

    /// Strength of a new memory.
    fn initial_strength(&self) -> f32;

    /// Decay parameters of a memory, as the scan takes them.
    fn decay(&self, strength: &Strength, history: &History<'_>) -> Decay;
}
