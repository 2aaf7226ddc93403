//! Uses of memories by recalls, pure: which recalls are uses, of which memories, and with what evidence (ADR 0051).
//!
//! Only the recalls of an owner are uses of its memories: those that are shared or granted to others are kept by what their
//! owner needs. A neighbouring turn of the context block that the recall did not return is no use: it was not found.

use std::collections::HashSet;

use super::request::Recall;
use super::response::Recalled;
use crate::domain::change::Touch;
use crate::domain::id::MemoryId;
use crate::domain::scope::Caller;
use crate::domain::time::Timestamp;
use crate::domain::uses::{Use, UseKind};
use crate::engine::needs_write;
use crate::error::Error;
use crate::field_checks;

/// Rule of an owner for what counts as a use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counting {
    /// Weakest evidence that counts.
    pub(super) from: UseKind,
    /// Interval after a use in which further evidence is of the same use, in microseconds.
    pub(super) refractory_us: u64,
}

impl Counting {
    /// True if evidence of this kind counts. A contradiction always does: curves take it as what it is.
    pub(super) fn counts(&self, kind: UseKind) -> bool {
        kind == self.from || kind.outweighs(self.from)
    }
}

/// True if a recall is a use of the memories that it returns. A caller without the right to write changes nothing of them.
///
/// One that looks at forgotten memories is none unless it says so: it would bring them back.
///
/// Errors: [`Error::Forbidden`] if the request asks for it without that right; [`Error::Invalid`] if it asks for uses in the
/// future of the clock.
pub(super) fn reinforces(request: &Recall, caller: &Caller, clock: Timestamp) -> Result<bool, Error> {
    if request.reinforce == Some(true) {
        needs_write(caller)?;
        field_checks::moment_of_use(request.now, clock)?;
    }
    let by_default = request.now.is_none() && !request.include_forgotten;
    Ok(caller.rights.write && request.reinforce.unwrap_or(by_default))
}

/// Evidence that a recall itself gives of its memories.
pub(super) struct Outcomes {
    in_context: HashSet<MemoryId>,
}

impl Outcomes {
    pub(super) fn of(recalled: &Recalled) -> Self {
        Self { in_context: recalled.context.memories.iter().copied().collect() }
    }

    pub(super) fn of_memory(&self, id: MemoryId) -> UseKind {
        if self.in_context.contains(&id) { UseKind::InContext } else { UseKind::Returned }
    }
}

/// Uses at `at` by a recall, of the memories of the scope's owner. Those that would change nothing, because the newest use
/// is not long ago, are left out: so most recalls of a conversation write nothing.
pub(super) fn touches(recalled: &Recalled, at: Timestamp, counting: Counting) -> Vec<Touch> {
    let Counting { refractory_us, .. } = counting;
    let outcomes = Outcomes::of(recalled);
    let own = recalled.memories.iter().filter(|one| recalled.own == Some(one.partition));
    let touches = own.filter_map(|found| {
        let id = found.memory.id;
        let one = Use { at, kind: outcomes.of_memory(id) };
        let is_new =
            counting.counts(one.kind) && found.memory.strength.uses.clone().record(one, refractory_us);
        is_new.then_some(Touch { memory: id, one, refractory_us })
    });
    touches.collect()
}

#[cfg(all(test, feature = "sqlite"))]
mod tests {
    use super::*;
    use crate::domain::id::{CallerId, TenantId};
    use crate::domain::scope::Rights;
    use crate::testing::{START, question, user};

    #[test]
    fn evidence_counts_from_the_weakest_kind_of_the_rule_on() {
        for (at, from) in UseKind::ALL.into_iter().enumerate() {
            let counting = Counting { from, refractory_us: 0 };
            let counted = UseKind::ALL.map(|kind| counting.counts(kind));
            assert_eq!(counted, [0, 1, 2, 3, 4].map(|kind| kind >= at), "{from:?}");
        }
    }

    #[test]
    fn a_recall_is_a_use_unless_its_clock_is_pinned_or_its_caller_only_reads() {
        let caller = |write| Caller {
            tenant: TenantId::DEFAULT,
            id: CallerId::ANYONE,
            rights: Rights { write, ..Rights::ALL },
        };
        let asked = question(&user("ann").unwrap(), "tea");
        let cases = [
            (None, None, true, Some(true)),
            (None, None, false, Some(false)),
            (Some(START), None, true, Some(false)),
            (Some(START), Some(true), true, Some(true)),
            (Some(START), Some(true), false, None),
            (None, Some(true), false, None),
            (None, Some(false), true, Some(false)),
            (None, Some(false), false, Some(false)),
        ];
        for (now, reinforce, write, expected) in cases {
            let request = Recall { now, reinforce, ..asked.clone() };
            let found = reinforces(&request, &caller(write), START).ok();
            assert_eq!(found, expected, "{now:?} {reinforce:?} {write}");
        }
        let of_forgotten = |reinforce| Recall { include_forgotten: true, reinforce, ..asked.clone() };
        for (reinforce, expected) in [(None, false), (Some(true), true), (Some(false), false)] {
            let found = reinforces(&of_forgotten(reinforce), &caller(true), START).ok();
            assert_eq!(found, Some(expected), "forgotten memories, {reinforce:?}");
        }
    }

    #[test]
    fn a_use_in_the_future_is_refused_and_the_clocks_may_differ_by_a_minute() {
        let caller = Caller {
            tenant: TenantId::DEFAULT,
            id: CallerId::ANYONE,
            rights: Rights { write: true, ..Rights::ALL },
        };
        let asked = question(&user("ann").unwrap(), "tea");
        let found = |after_us: i64, reinforce| {
            let now = Some(START.plus_micros(after_us));
            reinforces(&Recall { now, reinforce, ..asked.clone() }, &caller, START)
        };
        assert!(found(60_000_000, Some(true)).unwrap());
        for after_us in [60_000_001, i64::MAX] {
            let refused = found(after_us, Some(true)).unwrap_err();
            assert!(matches!(&refused, Error::Invalid { field, .. } if field == "now"), "{refused}");
            assert!(!found(after_us, None).unwrap(), "a look ahead records nothing");
        }
    }
}
