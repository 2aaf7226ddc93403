//! Engine with a scripted language model, for the tests of thinking.
#![expect(clippy::expect_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use memory_core::domain::filter::{Field, Filter, Scalar, Test};
use memory_core::domain::memory::{Kind, Memory};
use memory_core::domain::time::Timestamp;
use memory_core::domain::turn::Role;
use memory_core::model::language_model::scripted::ScriptedLanguageModel;
use memory_core::model::language_model::{ModelRequest, Price};
use memory_core::store::{FilteredIds, IdPage, Jobs, Memories};
use memory_core::testing::{CALLER, START, TestEngine, turn, turns, user};
use memory_core::think::profile::read::ProfileRequest;
use memory_core::think::queue::state::Progress;
use memory_core::think::settings::{Task, TaskModel, ThinkingSettings};
use serde_json::{Value, json};
use tokio::time::Instant;

/// Facts that the script finds: a part of a turn's text, and the fact without its evidence.
fn fact_table() -> Vec<(&'static str, Value)> {
    let home = |city: &str| {
        json!({"text": format!("The user lives in {city}."), "subject": "user", "relation": "lives in", "object": city,
               "attribute": "home"})
    };
    vec![
        ("live in Paris", home("Paris")),
        ("moved to Lisbon", home("Lisbon")),
        (
            "dog called Rex",
            json!({"text": "The user has a dog called Rex.", "subject": "user", "object": "Rex",
                                  "attribute": "pet"}),
        ),
        (
            "Theo will leave",
            json!({"text": "Theo will leave his wife.", "subject": "Theo", "object": "leave his wife",
                                   "confidential": true}),
        ),
        (
            "paint on weekends",
            json!({"text": "The user likes to paint on weekends.", "subject": "user",
                                     "object": "paint on weekends"}),
        ),
        (
            "paint landscapes",
            json!({"text": "The user likes to paint landscapes.", "subject": "user",
                                    "object": "paint landscapes"}),
        ),
    ]
}

/// Reply to the prompt of extraction: the facts of the table whose words a turn has.
pub(super) fn extract(request: &ModelRequest) -> String {
    let mut facts = Vec::new();
    for line in request.user.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let (handle, text) = (line["handle"].as_str().unwrap_or(""), line["text"].as_str().unwrap_or(""));
        for (words, fact) in
            fact_table().into_iter().filter(|(words, _)| handle.starts_with('t') && text.contains(words))
        {
            let mut fact = fact;
            fact["evidence"] = json!([handle]);
            fact["confidence"] = json!(0.9);
            assert!(!words.is_empty());
            facts.push(fact);
        }
    }
    json!({ "facts": facts }).to_string()
}

pub(super) fn settings(model: Arc<ScriptedLanguageModel>) -> ThinkingSettings {
    let task = TaskModel { model, price: Price::default() };
    ThinkingSettings { models: BTreeMap::from([(Task::Extract, task)]), ..ThinkingSettings::default() }
}

/// Engine of one user, Mara, with a script for a model.
pub(super) struct Story {
    pub(super) engine: TestEngine,
    _folder: tempfile::TempDir,
}

impl Story {
    pub(super) async fn with(settings: ThinkingSettings) -> Self {
        let folder = tempfile::tempdir().expect("a directory");
        let engine = TestEngine::thinking(folder.path(), settings).await.expect("an engine");
        Self { engine, _folder: folder }
    }

    /// The same store in a process of its own, as far as a test can tell.
    pub(super) async fn restarted(self, settings: ThinkingSettings) -> Self {
        let Self { engine, _folder } = self;
        drop(engine);
        // The tasks of an engine end a little later than it does.
        for _ in 0..1_000 {
            if let Ok(engine) = TestEngine::thinking(_folder.path(), settings.clone()).await {
                return Self { engine, _folder };
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the store stays in use");
    }

    /// Says a text on a day after the start, and waits for thinking.
    pub(super) async fn say(&self, day: i64, role: Role, text: &str) -> Progress {
        let scope = user("mara").expect("a scope");
        let said = turns(&scope, "chat", vec![turn(role, text, START.plus_days(day))]).expect("turns");
        let remembered = self.engine.engine.remember_turns(&CALLER, said).await.expect("remembered");
        let until = Instant::now() + Duration::from_secs(20);
        self.engine
            .engine
            .wait_for_thinking(&CALLER, &scope, &remembered.memories, until)
            .await
            .expect("waited")
    }

    pub(super) async fn user_says(&self, day: i64, text: &str) {
        assert_eq!(self.say(day, Role::User, text).await, Progress::Done, "{text}");
    }

    /// Lets the clock of the engine run while the result lives, a second every 10 ms, so that pauses before retries end.
    pub(super) fn tick(&self) -> tokio::task::JoinSet<()> {
        let clock = self.engine.clock.clone();
        let mut ticking = tokio::task::JoinSet::new();
        ticking.spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_millis(10)).await;
                clock.advance_micros(1_000_000);
            }
        });
        ticking
    }

    /// Waits until no job waits or runs.
    pub(super) async fn settle(&self) {
        for _ in 0..400 {
            let jobs =
                self.engine.store.jobs(CALLER.tenant, &Default::default(), None, 1_000).await.expect("jobs");
            if jobs.iter().all(|job| job.state.is_over()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("jobs go on");
    }

    pub(super) async fn facts(&self) -> Vec<Memory> {
        let owner = user("mara").expect("a scope").owner().expect("an owner");
        let Some(partition) = self.engine.store.partition_of(CALLER.tenant, &owner).await.expect("found")
        else {
            return Vec::new();
        };
        let kinds = [Kind::Fact, Kind::Thought].map(|kind| Scalar::Text(kind.as_str().to_owned()));
        let filter = Filter::Field(Field::Kind, Test::In(kinds.into()));
        let page = IdPage { after: None, newest_first: false, limit: 1_000 };
        let ids = self.engine.store.matching_ids(partition, &filter, page).await.expect("ids").ids;
        self.engine.store.memories(partition, &ids).await.expect("memories")
    }

    pub(super) async fn texts(&self) -> Vec<String> {
        self.facts().await.into_iter().map(|fact| fact.text).collect()
    }

    /// Values of a slot of the user at a time, and its former values.
    pub(super) async fn slot(&self, attribute: &str, valid_at: Timestamp) -> (Vec<String>, Vec<String>) {
        let scope = user("mara").expect("a scope");
        let request =
            ProfileRequest { scope, subject: None, valid_at: Some(valid_at), known_at: None, partner: None };
        let profile = self.engine.engine.profile(&CALLER, &request).await.expect("a profile").profile;
        let Some(slot) = profile.slots.into_iter().find(|slot| slot.attribute.as_str() == attribute) else {
            return Default::default();
        };
        let objects = |values: Vec<memory_core::think::profile::SlotValue>| {
            values.into_iter().filter_map(|value| value.object).map(|object| object.to_string()).collect()
        };
        (objects(slot.values), objects(slot.history))
    }
}
