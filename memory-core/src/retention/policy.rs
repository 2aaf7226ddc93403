//! Forgetting policy of an owner, pure: curve, effect, quota, and what counts as a use of a memory. Its JSON is the same in the
//! configuration, in the store and on the wire.

use serde::{Deserialize, Serialize};

use super::initial_strength::{
    FACTOR_BOUNDS, InitialStrengths, MIDPOINT_BOUNDS, SURPRISE_MIDPOINT, gain, surprise,
};
use super::{CurveId, Rule, Trace, by_name, forgotten_at, threshold};
use crate::domain::forgotten::Effect;
use crate::domain::id::MemoryId;
use crate::domain::memory::{Kind, Strength};
use crate::domain::time::Timestamp;
use crate::domain::uses::UseKind;

/// Maximum of the grace period and of the refractory interval, in days.
const DAYS_AT_MOST: u32 = 36_500;
/// Maximum of the retention weight, as of every weight of recall.
const WEIGHT_AT_MOST: f32 = 100.0;

const SECONDS_PER_DAY: u64 = 86_400;
const MICROS_PER_SECOND: u64 = 1_000_000;
const MICROS_PER_DAY: i64 = 86_400_000_000;

/// Order in which the memories beyond a quota are forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Eviction {
    /// Lowest retention under the curve of the policy first.
    #[default]
    Curve,
    /// Used least recently first; a memory that was never used counts from its learning.
    Lru,
    /// Learned first, first.
    Fifo,
    /// By the fixed threshold of each memory, which is uniform and independent of everything else.
    Random,
    /// Least important first; of equally important ones, learned first, first.
    Importance,
}

impl Eviction {
    /// All orders.
    pub const ALL: [Self; 5] = [Self::Curve, Self::Lru, Self::Fifo, Self::Random, Self::Importance];

    /// Name in configuration and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Curve => "curve",
            Self::Lru => "lru",
            Self::Fifo => "fifo",
            Self::Random => "random",
            Self::Importance => "importance",
        }
    }
}

/// Path of the factor of a kind in a policy.
const fn strength_field(kind: Kind) -> &'static str {
    match kind {
        Kind::Turn => "initial_strengths.turn",
        Kind::Fact => "initial_strengths.fact",
        Kind::Thought => "initial_strengths.thought",
        Kind::Note => "initial_strengths.note",
        Kind::Digest => "initial_strengths.digest",
        Kind::Document => "initial_strengths.document",
    }
}

/// Forgetting policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// Forgetting curve.
    #[serde(with = "by_name::curve")]
    pub curve: CurveId,
    /// Weight of the retention in the ranking, 0 to 100; `None` for that of recall.
    pub weight: Option<f32>,
    /// Effect on memories whose retention is below their threshold; `None`: nothing is forgotten.
    #[serde(with = "by_name::effect")]
    pub effect: Option<Effect>,
    /// Rule by which memories fade.
    pub rule: Rule,
    /// Days for which a forgotten memory is kept before it is erased, with the effect `delete`.
    pub grace_days: u32,
    /// Maximum number of memories that are not forgotten; `None` for no quota. Pinned ones count, and are not evicted.
    pub quota_memories: Option<u64>,
    /// Order of eviction.
    pub eviction: Eviction,
    /// Weakest evidence that counts as a use: `returned`, `in_context`, `cited` or `confirmed`.
    #[serde(with = "by_name::use_kind")]
    pub counts_from: UseKind,
    /// Interval after a use in which further ones do not count, in seconds.
    pub refractory_seconds: u64,
    /// Factors on the initial strength by kind.
    pub initial_strengths: InitialStrengths,
    /// Factor on the initial strength of a memory of importance 1, against 1 at the default importance of .5 and its
    /// reciprocal at 0; between them it is exponential. 1: importance does not matter.
    pub importance_gain: f64,
    /// Factor on the initial strength of a memory that is unlike all that its owner had, against 1 at `surprise_midpoint` and
    /// its reciprocal for a repetition; between them it is exponential. 1: surprise does not matter and is not measured.
    pub surprise_gain: f64,
    /// Cosine to the nearest memory at which the factor by surprise is 1, 0 to 0.99.
    pub surprise_midpoint: f64,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            curve: CurveId::default(),
            weight: None,
            effect: None,
            rule: Rule::default(),
            grace_days: 30,
            quota_memories: None,
            eviction: Eviction::default(),
            counts_from: UseKind::InContext,
            refractory_seconds: 3_600,
            initial_strengths: InitialStrengths::default(),
            importance_gain: 1.0,
            surprise_gain: 1.0,
            surprise_midpoint: SURPRISE_MIDPOINT,
        }
    }
}

impl Policy {
    /// The first field that is out of its bounds, and the rule.
    pub fn violation(&self) -> Option<(&'static str, String)> {
        let (least, most) = FACTOR_BOUNDS;
        let is_factor = |factor: f64| factor >= least && factor <= most;
        let refractory_at_most = u64::from(DAYS_AT_MOST) * SECONDS_PER_DAY;
        if self.weight.is_some_and(|weight| !(0.0..=WEIGHT_AT_MOST).contains(&weight)) {
            return Some(("weight", format!("must be 0 to {WEIGHT_AT_MOST}")));
        }
        if self.grace_days > DAYS_AT_MOST {
            return Some(("grace_days", format!("must be at most {DAYS_AT_MOST}")));
        }
        if self.quota_memories == Some(0) {
            return Some(("quota_memories", "must be at least 1".to_owned()));
        }
        if self.quota_memories.is_some() && self.effect.is_none() {
            return Some(("quota_memories", "needs an effect other than none".to_owned()));
        }
        if self.counts_from == UseKind::Contradicted {
            return Some(("counts_from", "must be one of returned, in_context, cited, confirmed".to_owned()));
        }
        if self.refractory_seconds > refractory_at_most {
            return Some(("refractory_seconds", format!("must be at most {refractory_at_most}")));
        }
        let of_kind = |kind: &Kind| self.initial_strengths.of(*kind);
        if let Some(kind) = Kind::ALL.into_iter().find(|kind| !is_factor(of_kind(kind))) {
            return Some((strength_field(kind), format!("must be {least} to {most}")));
        }
        let gains = [("importance_gain", self.importance_gain), ("surprise_gain", self.surprise_gain)];
        if let Some((field, _)) = gains.into_iter().find(|(_, gain)| !is_factor(*gain)) {
            return Some((field, format!("must be {least} to {most}")));
        }
        let (least, most) = MIDPOINT_BOUNDS;
        let is_midpoint = (least..=most).contains(&self.surprise_midpoint);
        (!is_midpoint).then(|| ("surprise_midpoint", format!("must be {least} to {most}")))
    }

    /// True if the nearest cosine of a new memory has an effect under this policy. Otherwise it is not measured.
    pub fn measures_surprise(&self) -> bool {
        self.surprise_gain.to_bits() != 1.0_f64.to_bits()
    }

    /// Trace of a memory under this policy.
    pub fn trace<'a>(&self, kind: Kind, strength: &'a Strength) -> Trace<'a> {
        let factor = self.factor(kind, strength.importance, strength.nearest_cosine, strength.strength);
        Trace { initial_strength: factor, ..Trace::of(strength) }
    }

    /// Factor on the strength that the curve gives to a new memory, from that of the memory itself.
    pub fn factor(&self, kind: Kind, importance: f64, nearest_cosine: Option<f32>, strength: f32) -> f64 {
        let by_importance = gain(self.importance_gain, importance);
        let by_surprise = gain(self.surprise_gain, surprise(nearest_cosine, self.surprise_midpoint));
        f64::from(strength) * self.initial_strengths.of(kind) * by_importance * by_surprise
    }

    /// Moment from which the memory is forgotten because it has faded: the first at which its retention is below its fixed
    /// threshold. `None` for never, and where the policy forgets nothing.
    pub fn faded_at(&self, memory: MemoryId, kind: Kind, strength: &Strength) -> Option<Timestamp> {
        self.effect.filter(|_| self.rule == Rule::FixedThreshold)?;
        forgotten_at(self.curve.curve(), &self.trace(kind, strength), threshold(memory))
    }

    /// Moment from which a memory that is forgotten since `since` is to be erased; `None` for never.
    pub fn erased_at(&self, since: Timestamp) -> Option<Timestamp> {
        let grace_us = i64::from(self.grace_days) * MICROS_PER_DAY;
        (self.effect == Some(Effect::Delete)).then(|| since.plus_micros(grace_us))
    }

    /// Refractory interval in microseconds.
    pub fn refractory_us(&self) -> u64 {
        self.refractory_seconds.saturating_mul(MICROS_PER_SECOND)
    }

    /// Place of a memory in the order of eviction: the least is evicted first. Ties are broken by the id.
    pub fn eviction_rank(
        &self,
        memory: MemoryId,
        kind: Kind,
        strength: &Strength,
        now: Timestamp,
    ) -> (f64, f64) {
        let micros = |at: Timestamp| precise(at.as_micros());
        match self.eviction {
            Eviction::Curve => {
                let retention = self.curve.curve().retention(&self.trace(kind, strength), now);
                (retention, micros(strength.refreshed_at()))
            }
            Eviction::Lru => (micros(strength.refreshed_at()), 0.0),
            Eviction::Fifo => (micros(strength.learned_at), 0.0),
            Eviction::Random => (threshold(memory), 0.0),
            Eviction::Importance => (strength.importance, micros(strength.learned_at)),
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "moments within 285 years of 1970 are exact; the order of others is near enough"
)]
fn precise(micros: i64) -> f64 {
    micros as f64
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{Curve as _, MemoryBankPaper};
    use super::*;
    use crate::domain::uses::Use;

    const LEARNED: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

    fn id(number: u128) -> MemoryId {
        MemoryId(uuid::Uuid::from_u128(number))
    }

    fn excluding() -> Policy {
        Policy { effect: Some(Effect::Exclude), ..Policy::default() }
    }

    #[test]
    fn a_policy_is_the_same_after_a_round_trip_through_json_and_absent_fields_are_defaults() {
        for effect in Effect::ALL.into_iter().map(Some).chain([None]) {
            for curve in CurveId::ALL {
                let policy = Policy { curve, effect, weight: Some(0.25), ..Policy::default() };
                let text = serde_json::to_string(&policy).unwrap();
                assert_eq!(serde_json::from_str::<Policy>(&text).unwrap(), policy, "{text}");
            }
        }
        assert_eq!(serde_json::from_value::<Policy>(json!({})).unwrap(), Policy::default());
        for refused in [json!({"curve": "linear"}), json!({"effect": "burn"}), json!({"halflife": 3})] {
            assert!(serde_json::from_value::<Policy>(refused.clone()).is_err(), "{refused}");
        }
    }

    #[test]
    fn the_field_that_is_out_of_its_bounds_is_named() {
        let default = Policy::default;
        let cases = [
            ("weight", Policy { weight: Some(f32::NAN), ..default() }),
            ("weight", Policy { weight: Some(-0.1), ..default() }),
            ("grace_days", Policy { grace_days: u32::MAX, ..default() }),
            ("quota_memories", Policy { quota_memories: Some(0), ..excluding() }),
            ("quota_memories", Policy { quota_memories: Some(10), ..default() }),
            ("counts_from", Policy { counts_from: UseKind::Contradicted, ..default() }),
            ("refractory_seconds", Policy { refractory_seconds: u64::MAX, ..default() }),
            ("importance_gain", Policy { importance_gain: f64::INFINITY, ..default() }),
            ("surprise_gain", Policy { surprise_gain: 0.0, ..default() }),
            ("surprise_midpoint", Policy { surprise_midpoint: 1.0, ..default() }),
            ("surprise_midpoint", Policy { surprise_midpoint: f64::NAN, ..default() }),
            (
                "initial_strengths.fact",
                Policy {
                    initial_strengths: InitialStrengths { fact: 0.0, ..Default::default() },
                    ..default()
                },
            ),
        ];
        for (field, policy) in cases {
            assert_eq!(policy.violation().map(|(field, _)| field), Some(field), "{policy:?}");
        }
        let weight = Policy { weight: Some(101.0), ..default() };
        assert_eq!(weight.violation(), Some(("weight", "must be 0 to 100".to_owned())));
        for kind in Kind::ALL {
            assert_eq!(strength_field(kind).strip_prefix("initial_strengths."), Some(kind.as_str()));
        }
        assert_eq!((default().violation(), excluding().violation()), (None, None));
    }

    #[test]
    fn kind_and_importance_are_factors_on_the_initial_strength() {
        let policy = Policy { importance_gain: 4.0, ..Policy::default() };
        let factor =
            |kind, importance| policy.trace(kind, &Strength::new(importance, 1.0, LEARNED)).initial_strength;
        let near =
            |found: f64, expected: f64| assert!((found - expected).abs() < 1e-12, "{found} for {expected}");
        near(factor(Kind::Turn, 0.5), 1.0);
        near(factor(Kind::Turn, 1.0), 4.0);
        near(factor(Kind::Turn, 0.0), 0.25);
        near(factor(Kind::Digest, 0.5), 4.0);
        let plain = Policy::default().trace(Kind::Turn, &Strength::new(1.0, 2.0, LEARNED)).initial_strength;
        near(plain, 2.0);
    }

    #[test]
    fn a_memory_fades_at_its_threshold_only_under_a_rule_and_an_effect() {
        let strength = Strength::new(0.5, 1.0, LEARNED);
        let faded = excluding().faded_at(id(7), Kind::Turn, &strength).unwrap();
        let retention = |at| MemoryBankPaper.retention(&excluding().trace(Kind::Turn, &strength), at);
        assert!(retention(faded) < threshold(id(7)) && retention(faded.plus_micros(-1)) >= threshold(id(7)));
        assert_eq!(Policy::default().faded_at(id(7), Kind::Turn, &strength), None);
        let quota_alone = Policy { rule: Rule::QuotaAlone, ..excluding() };
        assert_eq!(quota_alone.faded_at(id(7), Kind::Turn, &strength), None);
        let pinned = Strength { pinned: true, ..strength };
        assert_eq!(excluding().faded_at(id(7), Kind::Turn, &pinned), None);
    }

    #[test]
    fn only_deletion_has_a_time_of_erasure_after_its_grace() {
        let deleting = Policy { effect: Some(Effect::Delete), grace_days: 2, ..Policy::default() };
        assert_eq!(deleting.erased_at(LEARNED), Some(LEARNED.plus_days(2)));
        assert_eq!(excluding().erased_at(LEARNED), None);
    }

    #[test]
    fn each_order_of_eviction_puts_its_own_memory_first() {
        let day = |days: i64| LEARNED.plus_days(days);
        let mut used = Strength::new(0.9, 1.0, day(0));
        used.uses.record(Use { at: day(9), kind: UseKind::Cited }, 0);
        let plain = Strength::new(0.1, 1.0, day(5));
        let first = |eviction| {
            let policy = Policy { eviction, ..excluding() };
            let rank = |number, strength| policy.eviction_rank(id(number), Kind::Turn, strength, day(10));
            if rank(1, &used) < rank(2, &plain) { "used" } else { "plain" }
        };
        assert_eq!(first(Eviction::Curve), "plain");
        assert_eq!(first(Eviction::Lru), "plain");
        assert_eq!(first(Eviction::Fifo), "used");
        assert_eq!(first(Eviction::Importance), "plain");
        let random = if threshold(id(1)) < threshold(id(2)) { "used" } else { "plain" };
        assert_eq!(first(Eviction::Random), random);
    }
}
