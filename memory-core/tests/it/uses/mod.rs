//! Uses of memories through the engine: recalls that reinforce, feedback on them, and reads of retention.
#![expect(clippy::unwrap_used, reason = "tests")]

mod feedback;
mod model;
mod recalls;
mod retention;

use memory_core::domain::clock::Clock as _;
use memory_core::domain::id::{MemoryId, TenantId};
use memory_core::domain::scope::Scope;
use memory_core::domain::time::Timestamp;
use memory_core::domain::uses::{Use, UseKind, Uses};
use memory_core::recall::request::Recall;
use memory_core::recall::response::Recalled;
use memory_core::retention::Policy;
use memory_core::store::{Derivations as _, Memories as _};
use memory_core::testing::fixtures::owner;
use memory_core::testing::{CALLER, TestEngine, fact, memories, question, user};

pub(crate) const HOUR_US: i64 = 3_600_000_000;

/// Engine with facts of users.
pub(crate) struct Bench {
    pub(crate) test: TestEngine,
    _directory: tempfile::TempDir,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { test: TestEngine::open(directory.path()).await.unwrap(), _directory: directory }
    }

    pub(crate) async fn facts(&self, who: &str, texts: &[&str]) -> Vec<MemoryId> {
        let facts = texts.iter().map(|text| fact(text)).collect();
        self.test.engine.remember_memories(&CALLER, memories(&scope(who), facts)).await.unwrap().memories
    }

    /// Recalls, and waits until all is written.
    pub(crate) async fn recall(&self, request: Recall) -> Recalled {
        let recalled = self.test.engine.recall(&CALLER, request).await.unwrap();
        self.test.settle().await;
        recalled
    }

    pub(crate) async fn uses(&self, id: MemoryId) -> Uses {
        self.test.store.memory(TenantId::DEFAULT, id).await.unwrap().unwrap().memory.strength.uses
    }

    pub(crate) async fn kinds(&self, id: MemoryId) -> Vec<UseKind> {
        self.uses(id).await.newest().iter().map(|one| one.kind).collect()
    }

    /// Last number of the change log of a user.
    pub(crate) async fn last_change(&self, who: &str) -> u64 {
        let partition = self.test.store.partition_of(TenantId::DEFAULT, &owner(who)).await.unwrap().unwrap();
        self.test.store.last_change(partition).await.unwrap()
    }

    pub(crate) async fn set_policy(&self, who: &str, policy: Policy) {
        self.test.engine.set_forgetting_policy(&CALLER, &scope(who), Some(policy)).await.unwrap();
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.test.clock.now()
    }

    pub(crate) fn pass_hours(&self, hours: i64) {
        self.test.clock.advance_micros(hours * HOUR_US);
    }
}

pub(crate) fn scope(who: &str) -> Scope {
    user(who).unwrap()
}

/// Recall of everything about tea.
pub(crate) fn about_tea(who: &str) -> Recall {
    question(&scope(who), "tea")
}

pub(crate) fn use_at(at: Timestamp, kind: UseKind) -> Use {
    Use { at, kind }
}
