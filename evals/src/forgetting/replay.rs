//! Replay of a scenario through the API: everything is told, the questions on the way are asked in the order of time, and then
//! each arm keeps its share of the memories and is asked the same questions at the end.
//!
//! Between two arms all memories are restored without a use, so that every arm starts from the same store.

use std::collections::BTreeSet;
use std::time::Duration;

use engrain::Client;
use engrain::wire::{
    AddMemories, Job, JobState, RecallFeedback, RecallRequest, RecallResponse, Recalled, RestoreForgotten,
    SetForgettingPolicy, SweepMemories,
};
use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::arms::{ARMS, Arm, Gains, rehearsing};
use super::scenario::{NAME, Need, Scenario, Told};
use crate::dataset::Haystack;
use crate::failure::Failure;
use crate::ingest;

/// Memories that one recall returns, and that an answer would read.
pub(crate) const LIMIT: u32 = 10;
/// Interval of the looks at a job.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Facts in one call: few enough that the server makes their vectors at once, without which it cannot measure surprise.
const FACTS_PER_CALL: usize = 100;

/// Settings of a replay.
#[derive(Clone, Debug)]
pub(crate) struct Manner {
    /// Shares of the memories that are kept.
    pub(crate) keep: Vec<f64>,
    /// Weakest evidence that counts as a use.
    pub(crate) counts_from: String,
    /// Factors on the initial strength, in all arms.
    pub(crate) gains: Gains,
}

/// Result of an arm.
#[derive(Clone, Debug)]
pub(crate) struct ArmResult {
    /// Name of the arm; `all` for the whole store.
    pub(crate) arm: &'static str,
    /// Share that is kept.
    pub(crate) keep: f64,
    /// For each test: all that it needs is among the recalled memories.
    pub(crate) recalled: Vec<bool>,
    /// For each pair: the order was told right. A pair of which one was not found counts half.
    pub(crate) ordered: Vec<f64>,
}

/// Replays a scenario; the results are those of the whole store, followed by each arm for each share.
pub(crate) async fn replay(
    client: &Client,
    scenario: &Scenario,
    manner: &Manner,
) -> Result<Vec<ArmResult>, Failure> {
    let user = Session { client, scenario };
    user.set_policy(rehearsing(&manner.counts_from, manner.gains)).await?;
    user.tell().await?;
    for need in &scenario.rehearsals {
        user.rehearse(need).await?;
    }
    let mut results = vec![user.result("all", 1.0).await?];
    for keep in &manner.keep {
        let quota = (scenario.told.count() as f64 * keep).round() as u64;
        for arm in ARMS {
            user.keep(arm, quota, manner).await?;
            results.push(user.result(arm.name, *keep).await?);
            user.restore().await?;
        }
    }
    Ok(results)
}

/// User of a scenario at a server.
struct Session<'a> {
    client: &'a Client,
    scenario: &'a Scenario,
}

impl Session<'_> {
    fn failed(&self, what: &str) -> impl FnOnce(engrain::Error) -> Failure + use<> {
        Failure::server(format!("cannot {what} {}", self.scenario.user()))
    }

    /// Writes everything that the memory is told, as far as it is not there.
    async fn tell(&self) -> Result<(), Failure> {
        let scope = self.scenario.scope.clone();
        match &self.scenario.told {
            Told::Turns(batches) => {
                let haystack = Haystack::of_turns(scope, batches.clone());
                ingest::ingest(self.client.clone(), haystack).await?;
            }
            Told::Facts(facts) => {
                for some in facts.chunks(FACTS_PER_CALL) {
                    let request = AddMemories {
                        scope: scope.clone(),
                        memories: some.to_vec(),
                        ..AddMemories::default()
                    };
                    self.client.add_memories(&request).await.map_err(self.failed("tell"))?;
                }
                ingest::vectors_are_made(self.client).await?;
            }
        }
        Ok(())
    }

    async fn set_policy(&self, policy: Value) -> Result<(), Failure> {
        let policy = serde_json::from_value(policy)?;
        let request = SetForgettingPolicy { scope: self.scenario.scope.clone(), policy: Some(policy) };
        self.client.set_forgetting_policy(&request).await.map_err(self.failed("set the policy of"))?;
        Ok(())
    }

    async fn recall(&self, query: &str, at: Timestamp, reinforce: bool) -> Result<RecallResponse, Failure> {
        let request = RecallRequest {
            scope: self.scenario.scope.clone(),
            query: query.to_owned(),
            limit: Some(LIMIT),
            now: Some(at.to_string()),
            reinforce: Some(reinforce),
            budget_tokens: (!reinforce).then_some(0),
            ..RecallRequest::default()
        };
        self.client.recall(&request).await.map_err(self.failed("ask"))
    }

    /// Asks a question on the way. The answer would cite what is needed, as far as it was found.
    async fn rehearse(&self, need: &Need) -> Result<(), Failure> {
        let found = self.recall(&need.query, need.at, true).await?;
        let is_needed = |memory: &&Recalled| {
            name(memory).is_some_and(|name| need.needed.iter().any(|group| group.contains(name)))
        };
        let used: Vec<Uuid> = found.memories.iter().filter(is_needed).map(|one| one.memory.id).collect();
        if !used.is_empty() {
            let scope = self.scenario.scope.clone();
            let feedback =
                RecallFeedback { scope, used, now: Some(need.at.to_string()), ..RecallFeedback::default() };
            self.client
                .recall_feedback(found.recall_id, &feedback)
                .await
                .map_err(self.failed("tell what was used of"))?;
        }
        Ok(())
    }

    /// Keeps `quota` memories by the rule of an arm.
    async fn keep(&self, arm: Arm, quota: u64, manner: &Manner) -> Result<(), Failure> {
        self.set_policy(arm.policy(quota, &manner.counts_from, manner.gains)).await?;
        let scope = self.scenario.scope.clone();
        let request = SweepMemories { scope, now: Some(self.scenario.end.to_string()), wait: true };
        let job = self.client.sweep_memories(&request).await.map_err(self.failed("sweep"))?;
        self.done(job).await
    }

    /// Restores all memories, as if nothing had been forgotten.
    async fn restore(&self) -> Result<(), Failure> {
        let request = RestoreForgotten {
            scope: self.scenario.scope.clone(),
            all: true,
            reinforce: Some(false),
            ..RestoreForgotten::default()
        };
        while self.client.restore_forgotten(&request).await.map_err(self.failed("restore"))?.left > 0 {}
        Ok(())
    }

    /// Waits for a job.
    async fn done(&self, mut job: Job) -> Result<(), Failure> {
        while matches!(job.state, JobState::Waiting | JobState::Running) {
            tokio::time::sleep(LOOK_EVERY).await;
            job = self.client.job(job.id).await.map_err(self.failed("wait for the sweep of"))?;
        }
        Ok(())
    }

    async fn result(&self, arm: &'static str, keep: f64) -> Result<ArmResult, Failure> {
        let mut recalled = Vec::with_capacity(self.scenario.tests.len());
        for need in &self.scenario.tests {
            let found = self.recall(&need.query, need.at, false).await?;
            let names: BTreeSet<&str> = found.memories.iter().filter_map(name).collect();
            recalled.push(need.is_met_by(&names));
        }
        let mut ordered = Vec::with_capacity(self.scenario.pairs.len());
        for (number, (earlier, later)) in self.scenario.pairs.iter().enumerate() {
            // The order in which they are asked must not tell the answer.
            let (one, other) = if number % 2 == 0 { (earlier, later) } else { (later, earlier) };
            let (one, other) = (self.time_of(one).await?, self.time_of(other).await?);
            let (earlier, later) = if number % 2 == 0 { (one, other) } else { (other, one) };
            ordered.push(match (earlier, later) {
                (Some(earlier), Some(later)) => f64::from(u8::from(earlier < later)),
                _ => 0.5,
            });
        }
        Ok(ArmResult { arm, keep, recalled, ordered })
    }

    /// Time of the memory with exactly this text, as far as it is recalled.
    async fn time_of(&self, text: &str) -> Result<Option<Timestamp>, Failure> {
        let found = self.recall(text, self.scenario.end, false).await?;
        let same = found.memories.iter().find(|one| one.memory.text == text);
        Ok(same.and_then(|one| one.memory.happened_at.parse().ok()))
    }
}

/// Name of a memory on the side of the evaluation.
fn name(recalled: &Recalled) -> Option<&str> {
    let memory = &recalled.memory;
    let of_turn = memory.origin.as_ref().and_then(|origin| origin.turn_key.as_deref());
    of_turn.or_else(|| memory.metadata.get(NAME)?.as_str())
}
