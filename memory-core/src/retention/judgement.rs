//! Judgement of a memory by a policy at one moment: whether it is forgotten then, and why. Pure.
//!
//! That a memory has faded is a predicate of its uses and of the time, never a record: sweeps note it for lists and for the
//! grace period, and change no answer. Only an eviction, which depends on the other memories of its owner, and a draw, which
//! depends on the sweeps before, are read from their records. Uses and records after the moment do not count, so that a moment
//! of the past is judged as it was.

use super::{Curve as _, DrawnCheck, Policy, Rule, Trace, draw, forgotten_at, threshold};
use crate::domain::forgotten::{Effect, Reason};
use crate::domain::id::MemoryId;
use crate::domain::memory::{Kind, Memory, Strength};
use crate::domain::time::Timestamp;
use crate::domain::uses::Uses;

/// Forgotten memory, as a policy judges it at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForgottenNow {
    /// Moment at which its retention fell below its threshold, of its eviction, or of the sweep that drew it.
    pub since: Timestamp,
    /// Reason.
    pub reason: Reason,
    /// Effect of the policy.
    pub effect: Effect,
}

impl Policy {
    /// True if recalls do not return forgotten memories.
    pub fn hides_forgotten(&self) -> bool {
        self.effect.is_some_and(|effect| effect != Effect::Demote)
    }

    /// True if retention is the same function of a memory under both policies.
    pub fn has_retention_of(&self, other: &Self) -> bool {
        self.curve == other.curve
            && self.initial_strengths == other.initial_strengths
            && self.importance_gain.to_bits() == other.importance_gain.to_bits()
            && self.surprise_gain.to_bits() == other.surprise_gain.to_bits()
            && (!self.measures_surprise()
                || self.surprise_midpoint.to_bits() == other.surprise_midpoint.to_bits())
    }

    /// True if a scan evaluates retention under this policy from the rows, for moments from the newest use on.
    pub fn is_known_to_scans(&self) -> bool {
        let strength = Strength::new(0.5, Strength::INITIAL, Timestamp::from_micros(0));
        self.curve.decay(&self.trace(Kind::Turn, &strength)).is_some()
    }

    /// True if memories fade at the same moments under both policies.
    pub fn fades_as(&self, other: &Self) -> bool {
        self.has_retention_of(other)
            && self.rule == other.rule
            && self.effect.is_some() == other.effect.is_some()
    }

    /// The memory as forgotten at `now`; `None` if it is not. What its record alone says, an
    /// eviction or a draw, goes before a fading.
    pub fn forgotten(&self, memory: &Memory, now: Timestamp) -> Option<ForgottenNow> {
        let effect = self.effect.filter(|_| !memory.strength.pinned)?;
        let record = memory.forgotten.as_ref();
        if let Some(record) = record.filter(|record| record.reason.is_by_record() && record.since <= now) {
            return Some(ForgottenNow { since: record.since, reason: record.reason, effect });
        }
        let trace = self.trace(memory.kind, &memory.strength);
        let since = self.fades_at(memory.id, &trace, now)?;
        (since <= now).then_some(ForgottenNow { since, reason: Reason::Faded, effect })
    }

    /// Check of a memory by a sweep as of `now` under [`Rule::ConditionalDraw`]. The check before is that of the sweep as of
    /// `checked_at`, or the last event of the memory (learned, used, restored) if that is later, or if there was no sweep.
    /// `None` if the sweep decides nothing about the memory: it is pinned, the sweep or the event before is not earlier than
    /// this one, or the policy has another rule or no effect.
    pub fn drawn_check(
        &self,
        memory: MemoryId,
        trace: &Trace<'_>,
        checked_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Option<DrawnCheck> {
        self.effect.filter(|_| self.rule == Rule::ConditionalDraw && !trace.pinned)?;
        let before = checked_at.map_or(trace.last_event(), |at| at.max(trace.last_event()));
        (before < now).then(|| DrawnCheck {
            retention: self.curve.retention(trace, now),
            previous: self.curve.retention(trace, before),
            draw: draw(memory, now),
        })
    }

    /// Moment from which a memory is forgotten because it has faded, by its uses until `now`; `None` for never. Until the next
    /// use it does not depend on `now`.
    pub fn fades_at(&self, memory: MemoryId, trace: &Trace<'_>, now: Timestamp) -> Option<Timestamp> {
        self.effect.filter(|_| self.rule == Rule::FixedThreshold)?;
        let u = threshold(memory);
        if trace.uses.last().is_none_or(|newest| newest.at <= now) {
            return forgotten_at(self.curve.curve(), trace, u);
        }
        let uses = until(trace.uses, now);
        forgotten_at(self.curve.curve(), &Trace { uses: &uses, ..*trace }, u)
    }
}

/// Uses as they were known at `now`.
fn until(uses: &Uses, now: Timestamp) -> Uses {
    Uses::new(uses.earlier_until(now), uses.until(now).to_vec()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::uses::{Use, UseKind};
    use crate::retention::CurveId;

    const DAY_US: i64 = 86_400_000_000;

    fn uses() -> impl Strategy<Value = Uses> {
        let one = (-5 * DAY_US..90 * DAY_US, proptest::sample::select(UseKind::ALL.to_vec()));
        (proptest::collection::vec(one, 0..12), 0u32..3).prop_map(|(mut all, earlier)| {
            all.sort_by_key(|(at, _)| *at);
            all.dedup_by_key(|(at, _)| *at);
            let newest: Vec<Use> =
                all.into_iter().map(|(at, kind)| Use { at: Timestamp::from_micros(at), kind }).collect();
            Uses::new(if newest.is_empty() { 0 } else { earlier }, newest).unwrap_or_default()
        })
    }

    proptest! {
        /// So that one stored moment per memory stands for the predicate.
        #[test]
        fn a_memory_has_faded_exactly_while_its_retention_is_below_its_threshold(
            uses in uses(), id in any::<u128>(), now in -10 * DAY_US..400 * DAY_US, importance in 0.0f64..1.0,
            curve in proptest::sample::select(CurveId::ALL.to_vec()), pinned in proptest::bool::weighted(0.1),
        ) {
            let policy = Policy { curve, effect: Some(Effect::Exclude), importance_gain: 2.0, ..Policy::default() };
            let (memory, now) = (MemoryId(uuid::Uuid::from_u128(id)), Timestamp::from_micros(now));
            let learned_at = Timestamp::from_micros(0);
            let strength = Strength { uses, pinned, ..Strength::new(importance, 1.0, learned_at) };
            let trace = policy.trace(Kind::Fact, &strength);
            let has_faded = policy.fades_at(memory, &trace, now).is_some_and(|at| at <= now);
            let retention = curve.retention(&trace, now);
            prop_assert_eq!(has_faded, retention < threshold(memory), "{} at {:?}", retention, now);
        }
    }

    #[test]
    fn retention_is_another_one_under_another_gain_by_surprise_and_under_another_midpoint_if_it_counts() {
        let policy = |surprise_gain, surprise_midpoint| Policy {
            surprise_gain,
            surprise_midpoint,
            ..Policy::default()
        };
        assert!(policy(4.0, 0.5).has_retention_of(&policy(4.0, 0.5)));
        assert!(policy(1.0, 0.5).has_retention_of(&policy(1.0, 0.25)), "the midpoint has no effect");
        for other in [policy(1.0, 0.5), policy(2.0, 0.5), policy(4.0, 0.25)] {
            assert!(!policy(4.0, 0.5).has_retention_of(&other), "{other:?}");
            assert!(!other.has_retention_of(&policy(4.0, 0.5)), "{other:?}");
        }
    }
}
