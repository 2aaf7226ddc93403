//! Judgement of the memories of one owner at the present moment, for responses that show them. The policy is looked up once,
//! however many memories are judged.

use std::sync::Arc;

use crate::domain::memory::Memory;
use crate::domain::scope::{Caller, Owner, Scope};
use crate::domain::time::Timestamp;
use crate::engine::Engine;
use crate::error::Error;
use crate::retention::{ForgottenNow, Policy};
use crate::scope::owner;

/// Policy of an owner and the moment at which it judges.
#[derive(Clone, Debug)]
pub struct Judgement {
    policy: Arc<Policy>,
    now: Timestamp,
}

impl Judgement {
    /// The present version of a memory as forgotten; `None` if it is not.
    pub fn of(&self, memory: &Memory) -> Option<ForgottenNow> {
        self.policy.forgotten(memory, self.now)
    }
}

impl Engine {
    /// Judgement of the memories of an owner, by its policy and the clock. It reads nothing from the store.
    pub fn judgement(&self, caller: &Caller, owner: &Owner) -> Judgement {
        Judgement { policy: self.policy_of(caller.tenant, owner), now: self.now() }
    }

    /// Judgement of the memories of the owner of a scope.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a scope without ids.
    pub fn judgement_of_scope(&self, caller: &Caller, scope: &Scope) -> Result<Judgement, Error> {
        Ok(self.judgement(caller, &owner(scope)?))
    }
}

#[cfg(all(test, feature = "testing", feature = "sqlite"))]
mod tests {
    use super::*;
    use crate::domain::forgotten::{Effect, Reason};
    use crate::domain::id::MemoryId;
    use crate::domain::memory::Kind;
    use crate::testing::START;
    use crate::testing::fixtures::{forgotten, plain};

    fn judged(effect: Option<Effect>, days: i64, memory: &Memory) -> Option<ForgottenNow> {
        let policy = Arc::new(Policy { effect, ..Policy::default() });
        Judgement { policy, now: START.plus_days(days) }.of(memory)
    }

    #[test]
    fn a_memory_is_judged_by_policy_and_moment_and_its_record_of_fading_plays_no_part() {
        let mut memory = plain(MemoryId(uuid::Uuid::from_u128(7)), Kind::Fact, "old");
        memory.strength.learned_at = START;
        memory.forgotten = Some(forgotten(Effect::Cold, 0));
        assert_eq!(judged(Some(Effect::Exclude), 0, &memory), None);
        let later = judged(Some(Effect::Exclude), 9_000, &memory).expect("faded");
        assert_eq!((later.reason, later.effect), (Reason::Faded, Effect::Exclude));
        assert_eq!(judged(None, 9_000, &memory), None, "nothing is forgotten without an effect");
        memory.strength.pinned = true;
        assert_eq!(judged(Some(Effect::Exclude), 9_000, &memory), None, "pinned");
    }
}
