//! Factors on the initial strength of a memory: by kind, by importance, and by surprise. Pure.
//!
//! Surprise is how unlike a memory was to all that its owner had when it was learned: from its cosine c to the nearest of them,
//! s = (1 - c) / (1 - m) / 2, within 0 and 1, where m is the midpoint of the policy; 0.5 where c is not known. The factor is
//! g^(2s - 1): the gain g for a memory that is like nothing, 1 at the midpoint, 1/g for a repetition.
//!
//! SirLLM (Yao et al. 2024, arXiv 2405.12528) keeps the tokens of a conversation whose entropy under the language model is high,
//! since they are the key phrases. This is a stand-in for it that needs no model: it judges memories instead of tokens, by their
//! distance to what is known instead of by probability, once instead of at every step, and scales how long a memory lasts
//! instead of selecting what is kept. So it cannot tell the key phrase of a text from the rest of it, and takes noise
//! for new.

use serde::{Deserialize, Serialize};

use crate::domain::memory::Kind;

/// Bounds of the factors on the initial strength of a kind, and of the gains by importance and by surprise.
pub(super) const FACTOR_BOUNDS: (f64, f64) = (0.01, 10_000.0);
/// Midpoint of the surprise by default: the median with bge-small-en-v1.5 over turns of LoCoMo (.850) and of LongMemEval (.846).
/// Other embedders have another scale.
pub(super) const SURPRISE_MIDPOINT: f64 = 0.85;
/// Bounds of the midpoint. At 1 nothing would be below it.
pub(super) const MIDPOINT_BOUNDS: (f64, f64) = (0.0, 0.99);

/// Factors on the initial strength by kind; 1 is the curve as published.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InitialStrengths {
    /// Of turns.
    pub turn: f64,
    /// Of facts.
    pub fact: f64,
    /// Of thoughts.
    pub thought: f64,
    /// Of notes.
    pub note: f64,
    /// Of digests. A summary of a day is to outlive its turns: an extension of the paper.
    pub digest: f64,
    /// Of documents.
    pub document: f64,
}

impl Default for InitialStrengths {
    fn default() -> Self {
        Self { turn: 1.0, fact: 1.0, thought: 1.0, note: 1.0, digest: 4.0, document: 4.0 }
    }
}

impl InitialStrengths {
    /// Factor of a kind.
    pub const fn of(&self, kind: Kind) -> f64 {
        match kind {
            Kind::Turn => self.turn,
            Kind::Fact => self.fact,
            Kind::Thought => self.thought,
            Kind::Note => self.note,
            Kind::Digest => self.digest,
            Kind::Document => self.document,
        }
    }
}

/// Surprise of a memory, 0 to 1, by its cosine to the nearest memory: 0.5 at the midpoint, and where it is not known.
pub(super) fn surprise(nearest_cosine: Option<f32>, midpoint: f64) -> f64 {
    let known = nearest_cosine.filter(|cosine| cosine.is_finite());
    let share = known.map(|cosine| (1.0 - f64::from(cosine)) / (1.0 - midpoint) / 2.0);
    share.filter(|share| !share.is_nan()).map_or(0.5, |share| share.clamp(0.0, 1.0))
}

/// Factor of a gain for a share of 0 to 1: the gain at 1, 1 at 0.5, its reciprocal at 0.
pub(super) fn gain(gain: f64, share: f64) -> f64 {
    gain.powf(2.0 * share.clamp(0.0, 1.0) - 1.0)
}
