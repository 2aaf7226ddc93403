//! Record of a forgotten memory: since when, by which rule, and with which effect. Forgetting deletes nothing by itself:
//! the record can be removed again, and the memory is as before.

use super::time::Timestamp;

/// Reason for which a memory was forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Its retention fell below its threshold.
    Faded,
    /// Its owner had more memories than its quota.
    Evicted,
    /// A sweep drew it, under the rule of conditional draws.
    Drawn,
}

impl Reason {
    /// All reasons.
    pub const ALL: [Reason; 3] = [Reason::Faded, Reason::Evicted, Reason::Drawn];

    /// Name in the store and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Reason::Faded => "faded",
            Reason::Evicted => "evicted",
            Reason::Drawn => "drawn",
        }
    }

    /// True if the record alone says that the memory is forgotten, from its moment on: that cannot be found again from the
    /// memory, the policy and the time. The record of a memory that has faded only notes what they say.
    pub const fn is_by_record(self) -> bool {
        matches!(self, Reason::Evicted | Reason::Drawn)
    }

    /// Reason with this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }
}

/// Effect of forgetting, the mildest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// It is recalled as before; its retention ranks it lower where retention has a weight.
    Demote,
    /// Recalls do not return it.
    Exclude,
    /// It leaves the resident index, and is found when asked for.
    Cold,
    /// It is erased after a grace period.
    Delete,
}

impl Effect {
    /// All effects.
    pub const ALL: [Effect; 4] = [Effect::Demote, Effect::Exclude, Effect::Cold, Effect::Delete];

    /// Name in the store and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Effect::Demote => "demote",
            Effect::Exclude => "exclude",
            Effect::Cold => "cold",
            Effect::Delete => "delete",
        }
    }

    /// Effect with this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|effect| effect.as_str() == text)
    }
}

/// Maximum length of the name of a curve, in bytes.
pub const MAX_CURVE_NAME: usize = 64;

/// Record of a forgotten memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Forgotten {
    /// Moment at which its retention fell below the threshold, of its eviction, or of the sweep that drew it.
    pub since: Timestamp,
    /// Time at which the sweep that found it was requested, by the clock, whatever moment the sweep judged as of. The grace period
    /// counts from it.
    pub recorded_at: Timestamp,
    /// Reason.
    pub reason: Reason,
    /// Effect.
    pub effect: Effect,
    /// Name of the curve or of the order of eviction, such as `memorybank.paper`; at most [`MAX_CURVE_NAME`] bytes.
    pub curve: String,
    /// Retention when it was found, 0 to 1.
    pub retention: f64,
    /// Threshold below which it was forgotten, 0 to 1; of one that was drawn, the draw times the retention at the check before.
    pub threshold: f64,
}

impl Forgotten {
    /// True if the numbers are fractions and the name of the curve is within its bound.
    pub fn is_valid(&self) -> bool {
        let is_fraction = |number: f64| (0.0..=1.0).contains(&number);
        is_fraction(self.retention) && is_fraction(self.threshold) && self.curve.len() <= MAX_CURVE_NAME
    }
}
