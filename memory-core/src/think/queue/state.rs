//! State of thinking for callers: profile of a scope, turns that wait, usage of language models.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::domain::id::MemoryId;
use crate::domain::scope::{Caller, Scope};
use crate::engine::{Engine, needs_read, needs_write};
use crate::error::Error;
use crate::scope::{owner, too_many_owners};
use crate::store::UsageEntry;
use crate::think::calls::meter::MeteredCalls;
use crate::think::queue::request::{PROMPT_QUEUES, QUEUES, queues_of};
use crate::think::settings::{MissingModel, Profile};

/// Maximum number of waiting turns that are counted.
const PENDING_COUNTED: u32 = 1_000;
/// Interval of the checks of a caller that waits for thinking, beside the signals of ended jobs.
const CHECK_EVERY: Duration = Duration::from_millis(250);

/// State of thinking of a scope.
#[derive(Clone, Debug, PartialEq)]
pub struct ThinkingState {
    /// Profile in use.
    pub profile: Profile,
    /// True if the scope has a profile of its own.
    pub is_own: bool,
    /// True if a mechanism of the profile can think with the settings of the engine.
    pub is_active: bool,
    /// Language models that mechanisms of the profile lack.
    pub missing_models: Vec<MissingModel>,
    /// Number of turns that wait for the mechanism with the most of them, apart from digests; counted up to 1,000.
    pub pending_turns: u64,
    /// Usage of language models since the start of the day (UTC).
    pub usage_today: Vec<UsageEntry>,
}

/// Progress of thinking about turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// No mechanism thinks about them.
    Off,
    /// They wait, or a job is thinking about them.
    Pending,
    /// What is derived from them at once is stored; digests may be made later.
    Done,
}

impl Engine {
    /// State of thinking of a scope.
    ///
    /// # Errors
    /// [`Error`] when the scope is invalid, the caller lacks the right to read, or the store fails.
    pub async fn thinking(&self, caller: &Caller, scope: &Scope) -> Result<ThinkingState, Error> {
        needs_read(caller)?;
        let owner = owner(scope)?;
        let own = self.thinking.own_profile(caller.tenant, &owner);
        let profile = own.unwrap_or(self.thinking.settings.profile);
        let (mut pending_turns, mut usage_today) = (0, Vec::new());
        if let Some(partition) = self.store.partition_of(caller.tenant, &owner).await? {
            for queue in self.prompt_queues(profile) {
                let pending = self.store.pending_turns(partition, queue, PENDING_COUNTED).await?.len() as u64;
                pending_turns = pending_turns.max(pending);
            }
            usage_today = self.store.usage(caller.tenant, Some(partition), self.now().day()).await?;
        }
        Ok(ThinkingState {
            profile,
            is_own: own.is_some(),
            is_active: !queues_of(&self.thinking.settings, profile).is_empty(),
            missing_models: self.thinking.settings.missing_models(profile),
            pending_turns,
            usage_today,
        })
    }

    /// Sets the profile of a scope for turns added from now on; `None` returns to that of the settings.
    ///
    /// # Errors
    /// [`Error`] when the scope is invalid, too many scopes have a profile, the caller lacks the right to write, or the
    /// store fails.
    pub async fn set_thinking_profile(
        &self,
        caller: &Caller,
        scope: &Scope,
        profile: Option<Profile>,
    ) -> Result<ThinkingState, Error> {
        needs_write(caller)?;
        let owner = owner(scope)?;
        if !self.thinking.set_profile(&self.store, (caller.tenant, owner), profile).await? {
            return Err(too_many_owners::<Profile>("profile"));
        }
        self.thinking(caller, scope).await
    }

    /// Progress of thinking about the turns of these memories, at the latest at `until`: waits until none of them is in a
    /// queue.
    ///
    /// # Errors
    /// As [`Engine::thinking`].
    pub async fn wait_for_thinking(
        &self,
        caller: &Caller,
        scope: &Scope,
        memories: &[MemoryId],
        until: Instant,
    ) -> Result<Progress, Error> {
        needs_read(caller)?;
        let owner = owner(scope)?;
        let profile = self.thinking.profile(caller.tenant, &owner);
        let queues = self.prompt_queues(profile);
        if queues.is_empty() {
            return Ok(Progress::Off);
        }
        let Some(partition) = self.store.partition_of(caller.tenant, &owner).await? else {
            return Ok(Progress::Done);
        };
        let mut ends = self.thinking.ends();
        loop {
            ends.mark_unchanged();
            let mut is_queued = false;
            for queue in &queues {
                is_queued = is_queued || self.store.are_queued(partition, queue, memories).await?;
            }
            if !is_queued {
                return Ok(Progress::Done);
            }
            if Instant::now() >= until {
                return Ok(Progress::Pending);
            }
            let _ = timeout_at(until.min(Instant::now() + CHECK_EVERY), ends.changed()).await;
        }
    }

    /// Queues of a profile that a caller can wait for.
    fn prompt_queues(&self, profile: Profile) -> Vec<&'static str> {
        let queues = queues_of(&self.thinking.settings, profile).into_iter();
        queues.filter(|queue| PROMPT_QUEUES.contains(queue)).collect()
    }

    /// Usage of the language models since the start of the process, for each task that has one.
    pub fn metered_calls(&self) -> Vec<MeteredCalls> {
        let models = self.thinking.settings.models.iter();
        let calls = models.map(|(task, with)| {
            let backend = with.model.identity().backend.clone();
            MeteredCalls { task: *task, usage: self.thinking.meter.sum(*task, &backend), backend }
        });
        calls.collect()
    }

    /// Number of turns that wait for each mechanism, over all tenants.
    ///
    /// # Errors
    /// [`Error`] when the store fails.
    pub async fn count_waiting_turns(&self) -> Result<Vec<(&'static str, u64)>, Error> {
        let counts = self.store.count_pending().await?;
        let of = |queue: &'static str| {
            let count =
                counts.iter().find(|(mechanism, _)| mechanism == queue).map_or(0, |(_, count)| *count);
            (queue, count)
        };
        Ok(QUEUES.into_iter().map(of).collect())
    }
}
