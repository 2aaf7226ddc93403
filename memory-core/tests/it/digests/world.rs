//! Engine with digests and a scripted language model, for the tests of digests.
#![expect(clippy::expect_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use memory_core::domain::digest::Level;
use memory_core::domain::id::MemoryId;
use memory_core::domain::scope::Scope;
use memory_core::domain::time::Timestamp;
use memory_core::domain::turn::Role;
use memory_core::memories::request::Edit;
use memory_core::model::language_model::scripted::ScriptedLanguageModel;
use memory_core::model::language_model::{ModelRequest, Price};
use memory_core::remember::request::TurnToRemember;
use memory_core::store::Jobs;
use memory_core::testing::{CALLER, TestEngine, turn, turns, user};
use memory_core::think::digest::read::{DigestsRequest, Portrait, ShownDigest};
use memory_core::think::settings::{Task, TaskModel, ThinkingSettings};
use serde_json::{Value, json};

/// Handles and texts that a prompt shows, in order.
pub(super) fn shown(request: &ModelRequest) -> Vec<(String, String)> {
    let lines = request.user.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let field = |line: &Value, name: &str| line[name].as_str().unwrap_or_default().to_owned();
    lines.map(|line| (field(&line, "handle"), field(&line, "text"))).collect()
}

/// Reply that repeats what is shown: a sentence for each handle; a statement for each insight that is not there yet.
pub(super) fn repeat(request: &ModelRequest) -> String {
    let lines = shown(request);
    let supported = |(handle, text): &(String, String)| {
        let text: String = text.replace('\n', " ").chars().take(300).collect();
        json!({"text": text, "evidence": [handle]})
    };
    let of_turns = || lines.iter().filter(|(handle, _)| handle.starts_with('t'));
    if request.system.contains("portrait of a user") {
        let is_there = |text: &str| lines.iter().any(|(handle, old)| handle.starts_with('s') && old == text);
        let add: Vec<Value> = of_turns().filter(|(_, text)| !is_there(text)).map(supported).collect();
        return json!({"add": add, "replace": [], "drop": []}).to_string();
    }
    json!({"sentences": of_turns().take(12).map(supported).collect::<Vec<_>>()}).to_string()
}

pub(super) fn extractive() -> ThinkingSettings {
    ThinkingSettings { makes_digests: true, ..ThinkingSettings::default() }
}

pub(super) fn by_model(model: Arc<ScriptedLanguageModel>) -> ThinkingSettings {
    let task = TaskModel { model, price: Price::default() };
    ThinkingSettings { models: BTreeMap::from([(Task::Digest, task)]), ..extractive() }
}

pub(super) struct World {
    pub(super) engine: TestEngine,
    _folder: tempfile::TempDir,
}

impl World {
    pub(super) async fn with(settings: ThinkingSettings) -> Self {
        let folder = tempfile::tempdir().expect("a directory");
        let engine = TestEngine::thinking(folder.path(), settings).await.expect("an engine");
        Self { engine, _folder: folder }
    }

    /// Says texts of a user at a time; the memories.
    pub(super) async fn say(&self, who: &str, at: &str, texts: &[&str]) -> Vec<MemoryId> {
        let at = Timestamp::parse(at).expect("a time");
        self.say_turns(who, texts.iter().map(|text| turn(Role::User, text, at)).collect()).await
    }

    pub(super) async fn say_turns(&self, who: &str, said: Vec<TurnToRemember>) -> Vec<MemoryId> {
        let scope = user(who).expect("a scope");
        let said = turns(&scope, "chat", said).expect("turns");
        let memories = self.engine.engine.remember_turns(&CALLER, said).await.expect("remembered").memories;
        self.settle().await;
        memories
    }

    /// Waits until no job waits or runs.
    pub(super) async fn settle(&self) {
        for _ in 0..800 {
            let jobs =
                self.engine.store.jobs(CALLER.tenant, &Default::default(), None, 1_000).await.expect("jobs");
            if jobs.iter().all(|job| job.state.is_over()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("jobs go on");
    }

    pub(super) async fn digests(&self, who: &str, level: Level) -> Vec<ShownDigest> {
        let scope = user(who).expect("a scope");
        let request = DigestsRequest { scope, level: Some(level), from: None, to: None, partner: None };
        self.engine.engine.digests(&CALLER, &request).await.expect("digests")
    }

    /// Days of the event digests, the latest first.
    pub(super) async fn days(&self, who: &str) -> Vec<String> {
        let digests = self.digests(who, Level::EventsOfDay).await;
        digests.into_iter().filter_map(|digest| digest.day).map(|day| day.to_string()).collect()
    }

    pub(super) async fn portrait(&self, who: &str) -> Portrait {
        let scope = user(who).expect("a scope");
        self.engine.engine.portrait(&CALLER, &scope, None).await.expect("a portrait")
    }

    pub(super) fn scope(&self, who: &str) -> Scope {
        user(who).expect("a scope")
    }

    pub(super) async fn erase(&self, id: MemoryId) -> Vec<MemoryId> {
        let erased = self.engine.engine.erase(&CALLER, id, None).await.expect("erased");
        self.settle().await;
        erased
    }

    pub(super) async fn edit(&self, id: MemoryId, edit: Edit) {
        self.engine.engine.edit(&CALLER, id, edit, None).await.expect("edited");
        self.settle().await;
    }
}
