//! Answers of remember, with what is searchable yet: memories whose vectors are made later are found by their words.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::response::Remembered;
use crate::domain::change::Outcome;
use crate::domain::id::MemoryId;
use crate::domain::scope::{Caller, Owner, Scope};
use crate::engine::{Engine, needs_read};
use crate::error::Error;
use crate::scope::owner;

/// Interval of the looks of a request that waits for vectors.
const LOOK_EVERY: Duration = Duration::from_millis(50);

impl Engine {
    /// Answer about what was committed. `lacking` is the number of memories that the request wrote without all vectors;
    /// `is_partial` says that some of its memories were there before, maybe without theirs.
    pub(super) async fn remembered(
        &self,
        caller: &Caller,
        owner: &Owner,
        outcome: Outcome,
        (lacking, is_partial): (usize, bool),
    ) -> Remembered {
        let (created, repeated) = match outcome {
            Outcome::Committed(committed) => (committed.created, false),
            Outcome::Repeated(created) => (created, true),
        };
        let mut without_vectors = 0;
        if repeated || is_partial || lacking > 0 {
            // The set is committed: a failure of this look must not become one of the request.
            let counted = self.count_without_vectors(caller, owner, &created.memories).await;
            without_vectors = counted.unwrap_or(lacking);
        }
        Remembered {
            session: created.session,
            turns: created.turns,
            memories: created.memories,
            outcomes: created.outcomes,
            repeated,
            without_vectors,
        }
    }

    /// Number of these memories without all vectors, at the latest at `until`: waits until all of them have theirs.
    ///
    /// # Errors
    /// [`Error::Forbidden`] without the right to read; [`Error::Store`].
    pub async fn wait_for_vectors(
        &self,
        caller: &Caller,
        scope: &Scope,
        memories: &[MemoryId],
        until: Instant,
    ) -> Result<usize, Error> {
        needs_read(caller)?;
        let owner = owner(scope)?;
        loop {
            let lacking = self.count_without_vectors(caller, &owner, memories).await?;
            let now = Instant::now();
            if lacking == 0 || now >= until {
                return Ok(lacking);
            }
            sleep_until(until.min(now + LOOK_EVERY)).await;
        }
    }

    async fn count_without_vectors(
        &self,
        caller: &Caller,
        owner: &Owner,
        memories: &[MemoryId],
    ) -> Result<usize, Error> {
        let Some(partition) = self.store.partition_of(caller.tenant, owner).await? else { return Ok(0) };
        Ok(self.store.without_vectors(partition, memories).await?.len())
    }
}
