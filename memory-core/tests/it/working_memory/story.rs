//! Engine of one user, Mara, whose sessions are read, closed and consolidated.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use memory_core::domain::id::MemoryId;
use memory_core::domain::memory::Memory;
use memory_core::domain::name::Name;
use memory_core::domain::scope::Scope;
use memory_core::domain::turn::Role;
use memory_core::domain::zone::Zone;
use memory_core::model::language_model::scripted::ScriptedLanguageModel;
use memory_core::model::language_model::{ModelRequest, Price};
use memory_core::recall::request::Recall;
use memory_core::store::Jobs;
use memory_core::testing::{CALLER, START, TestEngine, question, turn, turns, user};
use memory_core::think::settings::{Task, TaskModel, ThinkingSettings};
use memory_core::working::request::ReadWorkingMemory;
use memory_core::working::response::WorkingMemory;
use serde_json::{Value, json};

pub(super) struct Story {
    pub(super) engine: TestEngine,
    pub(super) scope: Scope,
    pub(super) folder: tempfile::TempDir,
}

pub(super) fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

/// Settings with digests, by this script if there is one.
pub(super) fn digests(model: Option<Arc<ScriptedLanguageModel>>) -> ThinkingSettings {
    let models = model.map(|model| (Task::Digest, TaskModel { model, price: Price::default() }));
    ThinkingSettings {
        makes_digests: true,
        working_memory_turns: 8,
        models: BTreeMap::from_iter(models),
        ..ThinkingSettings::default()
    }
}

/// Reply with one sentence that names the first and the last word of every turn, and rests on all of them.
pub(super) fn retold(request: &ModelRequest) -> String {
    let lines = request.user.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let (handles, texts): (Vec<Value>, Vec<String>) = lines
        .map(|line| (line["handle"].clone(), line["text"].as_str().unwrap_or_default().to_owned()))
        .unzip();
    json!({"sentences": [{"text": format!("Told: {}", texts.join(" / ")), "turns": handles}]}).to_string()
}

impl Story {
    pub(super) async fn with(settings: ThinkingSettings) -> Self {
        let folder = tempfile::tempdir().expect("a directory");
        let engine = TestEngine::thinking(folder.path(), settings).await.expect("an engine");
        Self { engine, scope: user("mara").expect("a scope"), folder }
    }

    /// Says texts in a session, user and assistant in turn, a minute apart.
    pub(super) async fn say(&self, session: &str, texts: &[&str]) -> Vec<MemoryId> {
        let said = texts.iter().zip(0..).map(|(text, minute): (_, i64)| {
            let role = if minute % 2 == 0 { Role::User } else { Role::Assistant };
            turn(role, text, START.plus_micros(minute * 60_000_000))
        });
        let request = turns(&self.scope, session, said.collect()).expect("turns");
        self.engine.engine.remember_turns(&CALLER, request).await.expect("remembered").memories
    }

    pub(super) async fn recall(&self, session: Option<&str>, query: &str) {
        let request = Recall { session: session.map(name), limit: 3, ..question(&self.scope, query) };
        self.engine.engine.recall(&CALLER, request).await.expect("recalled");
    }

    pub(super) fn reading(&self, session: &str) -> ReadWorkingMemory {
        ReadWorkingMemory {
            scope: self.scope.clone(),
            session: name(session),
            budget_tokens: 2_000,
            partner: None,
            now: None,
            zone: Zone::UTC,
        }
    }

    pub(super) async fn read(&self, session: &str) -> WorkingMemory {
        self.engine.engine.working_memory(&CALLER, self.reading(session)).await.expect("read")
    }

    pub(super) async fn close(&self, session: &str) -> bool {
        let closed =
            self.engine.engine.close_session(&CALLER, &self.scope, &name(session)).await.expect("closed");
        assert_eq!(closed.session.closed_at, Some(START));
        self.settle().await;
        closed.asks_digest
    }

    /// Waits until no job of consolidation waits or runs.
    pub(super) async fn settle(&self) {
        for _ in 0..800 {
            let jobs =
                self.engine.store.jobs(CALLER.tenant, &Default::default(), None, 1_000).await.expect("jobs");
            if jobs.iter().filter(|job| job.kind == "consolidate").all(|job| job.state.is_over()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("jobs go on");
    }

    pub(super) async fn digest(&self, session: &str) -> Option<Memory> {
        self.read(session).await.digest
    }
}

pub(super) fn texts(memories: &[Memory]) -> Vec<&str> {
    memories.iter().map(|memory| memory.text.as_str()).collect()
}
