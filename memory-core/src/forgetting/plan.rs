//! Judgement of a sweep about one memory, pure: the record of forgetting that it is to have under a policy at a moment.
//!
//! A memory that fades is forgotten exactly while the predicate of the policy holds, so the result depends on the memory, the
//! policy and the moment, not on earlier sweeps. One that was evicted stays forgotten until it is restored, and so does one that
//! a sweep drew under the rule of conditional draws, which depends on the moment of the sweep before.

use crate::domain::forgotten::{Effect, Forgotten, Reason};
use crate::domain::id::MemoryId;
use crate::domain::memory::{Kind, Memory, Strength};
use crate::domain::time::Timestamp;
use crate::retention::{DrawnCheck, Eviction, Policy, Rule, threshold};
use crate::store::RetentionRow;

/// Memory as it is judged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) memory: MemoryId,
    pub(crate) kind: Kind,
    pub(crate) strength: &'a Strength,
    /// Present record of its forgetting.
    pub(crate) forgotten: Option<&'a Forgotten>,
}

impl<'a> From<&'a RetentionRow> for Subject<'a> {
    fn from(row: &'a RetentionRow) -> Self {
        let RetentionRow { memory, kind, strength, forgotten, .. } = row;
        Self { memory: *memory, kind: *kind, strength, forgotten: forgotten.as_ref() }
    }
}

impl<'a> From<&'a Memory> for Subject<'a> {
    fn from(memory: &'a Memory) -> Self {
        let Memory { id, kind, strength, forgotten, .. } = memory;
        Self { memory: *id, kind: *kind, strength, forgotten: forgotten.as_ref() }
    }
}

/// Change that a sweep makes to a memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Change {
    /// It is forgotten.
    Forget,
    /// It is forgotten no longer.
    Remember,
    /// Its record is replaced: it is forgotten with another effect, or has faded again after a use since it was recorded.
    Renew,
    /// It is erased.
    Erase,
}

impl Change {
    /// Name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Forget => "forget",
            Self::Remember => "remember",
            Self::Renew => "renew",
            Self::Erase => "erase",
        }
    }
}

/// Policy at a moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Judge<'a> {
    pub(crate) policy: &'a Policy,
    pub(crate) now: Timestamp,
    /// Time of the request of the sweep by the clock, the same for all its attempts. It differs from `now` in a sweep as of the
    /// past.
    pub(crate) requested_at: Timestamp,
    /// Moment of the last complete sweep under the rule of conditional draws; without meaning under the other rules.
    pub(crate) checked_at: Option<Timestamp>,
}

impl Judge<'_> {
    /// Record that the memory is to have, its quota apart; `None` for one that is not to be forgotten. A record with the
    /// same effect stays as it is, unless it is older than the fading: a sweep between the two would have removed it.
    pub(crate) fn faded(&self, subject: Subject<'_>) -> Option<Forgotten> {
        if subject.strength.pinned {
            return None;
        }
        if let Some(record) = subject.forgotten.filter(|record| record.reason.is_by_record()) {
            return self.kept(record);
        }
        let effect = self.policy.effect?;
        if self.policy.rule == Rule::ConditionalDraw {
            self.drawn_check(subject).filter(|check| check.forgets())?;
            return Some(self.record(subject, Reason::Drawn, effect, self.now));
        }
        let faded_at = self.policy.faded_at(subject.memory, subject.kind, subject.strength);
        let since = faded_at.filter(|at| *at <= self.now)?;
        let holds =
            |record: &&Forgotten| record.effect == effect && since <= record.recorded_at.max(record.since);
        let present = subject.forgotten.filter(holds).cloned();
        Some(present.unwrap_or_else(|| self.record(subject, Reason::Faded, effect, since)))
    }

    /// Record that stays until a restore, with the effect of the policy. One that was drawn goes if the policy has no effect, as
    /// if it had faded.
    fn kept(&self, record: &Forgotten) -> Option<Forgotten> {
        let effect = self.policy.effect.or((record.reason == Reason::Evicted).then_some(record.effect))?;
        let recorded_at = if effect == record.effect { record.recorded_at } else { self.requested_at };
        Some(Forgotten { effect, recorded_at, ..record.clone() })
    }

    /// Check of a memory by a draw; `None` if the sweep decides nothing about it by one.
    fn drawn_check(&self, subject: Subject<'_>) -> Option<DrawnCheck> {
        let trace = self.policy.trace(subject.kind, subject.strength);
        self.policy.drawn_check(subject.memory, &trace, self.checked_at, self.now)
    }

    /// Threshold below which a memory is forgotten: the fixed one of the memory, or that of the check.
    pub(crate) fn threshold(&self, subject: Subject<'_>) -> f64 {
        let drawn = subject.forgotten.filter(|record| record.reason == Reason::Drawn);
        match (drawn, self.drawn_check(subject)) {
            (Some(record), _) => record.threshold,
            (None, Some(check)) => check.threshold(),
            (None, None) => threshold(subject.memory),
        }
    }

    /// Record of a memory that is evicted now; `None` for a pinned one, and where the policy forgets nothing.
    pub(crate) fn evicted(&self, subject: Subject<'_>) -> Option<Forgotten> {
        let effect = self.policy.effect.filter(|_| !subject.strength.pinned)?;
        Some(self.record(subject, Reason::Evicted, effect, self.now))
    }

    /// True if a memory with this record is to be erased.
    ///
    /// The grace period counts from the record and not from the moment of fading, so that a memory that a sweep finds
    /// long after it had faded is kept for the whole period. It is over by the clock and as of the moment of the sweep: no
    /// sweep as of another moment shortens it.
    pub(crate) fn is_due(&self, record: &Forgotten) -> bool {
        let erased_at = self.policy.erased_at(record.recorded_at.max(record.since));
        record.effect == Effect::Delete && erased_at.is_some_and(|at| at <= self.now.min(self.requested_at))
    }

    /// Retention of a memory.
    pub(crate) fn retention(&self, subject: Subject<'_>) -> f64 {
        let trace = self.policy.trace(subject.kind, subject.strength);
        self.policy.curve.curve().retention(&trace, self.now)
    }

    fn record(&self, subject: Subject<'_>, reason: Reason, effect: Effect, since: Timestamp) -> Forgotten {
        let curve = match (reason, self.policy.eviction) {
            (Reason::Faded | Reason::Drawn, _) | (Reason::Evicted, Eviction::Curve) => {
                self.policy.curve.as_str()
            }
            (Reason::Evicted, order) => order.as_str(),
        };
        Forgotten {
            since,
            recorded_at: self.requested_at,
            reason,
            effect,
            curve: curve.to_owned(),
            retention: self.retention(subject).clamp(0.0, 1.0),
            threshold: match reason {
                Reason::Drawn => self.threshold(subject),
                Reason::Faded | Reason::Evicted => threshold(subject.memory),
            },
        }
    }
}

/// Change from the present record to the one that the memory is to have.
pub(crate) fn change(present: Option<&Forgotten>, wanted: Option<&Forgotten>) -> Option<Change> {
    match (present, wanted) {
        (None, Some(_)) => Some(Change::Forget),
        (Some(_), None) => Some(Change::Remember),
        (Some(present), Some(wanted)) => (present != wanted).then_some(Change::Renew),
        (None, None) => None,
    }
}
