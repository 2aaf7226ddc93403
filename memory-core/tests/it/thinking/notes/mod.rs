//! Notes of A-MEM through the engine, by a scripted language model whose descriptions name every turn that it was shown: a
//! trace of a turn is the marker in its text.
#![expect(clippy::expect_used, reason = "tests")]

mod erasing;
mod keeping;
mod making;
mod recalling;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use memory_core::domain::filter::{Field, Filter, Scalar, Test};
use memory_core::domain::id::{MemoryId, PartitionId};
use memory_core::domain::link::Link;
use memory_core::domain::memory::{Kind, Memory, Strength};
use memory_core::domain::turn::Role;
use memory_core::index::Index;
use memory_core::model::language_model::scripted::ScriptedLanguageModel;
use memory_core::model::language_model::{ModelRequest, Price};
use memory_core::store::{FilteredIds, IdPage, Memories};
use memory_core::testing::{CALLER, START, turn, turns, user};
use memory_core::think::settings::{Profile, Task, TaskModel, ThinkingSettings};
use serde_json::{Value, json};

use super::story::Story;

/// Words of a text that mark a turn.
fn markers(text: &str) -> Vec<String> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric());
    let marked: BTreeSet<&str> = words.filter(|word| word.starts_with("zq")).collect();
    marked.into_iter().map(str::to_owned).collect()
}

fn lines(request: &ModelRequest) -> Vec<Value> {
    request.user.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn schema(request: &ModelRequest) -> &str {
    request.schema.as_ref().map_or("", |schema| schema.name.as_str())
}

/// Description with every marker that the request shows.
fn described(request: &ModelRequest, id: &Value) -> Value {
    let seen: Vec<String> = markers(&request.user).into_iter().take(16).collect();
    json!({"id": id, "keywords": seen, "tags": seen, "context": format!("seen {}", seen.join(" "))})
}

fn analysis(request: &ModelRequest) -> String {
    let notes: Vec<Value> = lines(request).iter().map(|line| described(request, &line["handle"])).collect();
    json!({ "notes": notes }).to_string()
}

/// Replies that link and change as much as they may.
fn busy(request: &ModelRequest) -> String {
    let shown = lines(request);
    let why = format!("seen {}", markers(&request.user).into_iter().take(16).collect::<Vec<_>>().join(" "));
    match schema(request) {
        "analyse" => analysis(request),
        "evolve" => {
            let (new, known): (Vec<&Value>, Vec<&Value>) =
                shown.iter().partition(|line| line["is_new"] == json!(true));
            let to = new.iter().skip(1).chain(&known).take(10);
            let links: Vec<Value> = to
                .map(|to| json!({"from": new[0]["id"], "to": to["id"], "type": "same_entity", "why": why}))
                .collect();
            let edits: Vec<Value> =
                known.iter().take(16).map(|note| described(request, &note["id"])).collect();
            json!({"links": links, "edits": edits}).to_string()
        }
        _ => {
            let known = &shown[1..];
            let ids: Vec<&Value> = known.iter().map(|note| &note["id"]).collect();
            let tags: Vec<String> = markers(&request.user).into_iter().take(16).collect();
            json!({"should_evolve": true, "actions": ["strengthen", "update_neighbor"],
                "suggested_connections": ids, "tags_to_update": tags,
                "new_context_neighborhood": vec![why; known.len()],
                "new_tags_neighborhood": vec![tags.clone(); known.len()]})
            .to_string()
        }
    }
}

/// Replies that describe and change nothing.
fn quiet(request: &ModelRequest) -> String {
    match schema(request) {
        "analyse" => analysis(request),
        "evolve" => json!({"links": [], "edits": []}).to_string(),
        _ => json!({"should_evolve": false, "actions": [], "suggested_connections": [], "tags_to_update": [],
            "new_context_neighborhood": [], "new_tags_neighborhood": []})
        .to_string(),
    }
}

fn settings(model: Arc<ScriptedLanguageModel>) -> ThinkingSettings {
    let models = BTreeMap::from([(Task::Evolve, TaskModel { model, price: Price::default() })]);
    ThinkingSettings { makes_notes: true, models, ..ThinkingSettings::default() }
}

fn published(model: Arc<ScriptedLanguageModel>) -> ThinkingSettings {
    ThinkingSettings { profile: Profile::AmemPaper, ..settings(model) }
}

impl Story {
    async fn partition(&self) -> PartitionId {
        let owner = user("mara").expect("a scope").owner().expect("an owner");
        self.engine.store.partition_of(CALLER.tenant, &owner).await.expect("read").expect("a partition")
    }

    /// All memories of a kind with all their versions, oldest first.
    async fn histories(&self, kind: Kind) -> BTreeMap<MemoryId, Vec<Memory>> {
        let partition = self.partition().await;
        let filter = Filter::Field(Field::Kind, Test::Eq(Scalar::Text(kind.as_str().to_owned())));
        let page = IdPage { after: None, newest_first: false, limit: 10_000 };
        let ids = self.engine.store.matching_ids(partition, &filter, page).await.expect("ids").ids;
        let mut all = BTreeMap::new();
        for memory in self.engine.store.memories(partition, &ids).await.expect("memories") {
            let mut versions =
                self.engine.store.earlier_versions(partition, memory.id).await.expect("versions");
            versions.push(memory);
            all.insert(versions[0].id, versions);
        }
        all
    }

    /// Present notes by the memories of their turns.
    async fn notes(&self) -> BTreeMap<MemoryId, Memory> {
        let histories = self.histories(Kind::Note).await;
        histories
            .into_values()
            .filter_map(|versions| versions.last().cloned())
            .map(|note| (of_turn(&note), note))
            .collect()
    }

    /// Says several turns in one request and waits for thinking.
    async fn say_all(&self, texts: &[String]) -> Vec<MemoryId> {
        let scope = user("mara").expect("a scope");
        let said = texts.iter().map(|text| turn(Role::User, text, START)).collect();
        let said = turns(&scope, "chat", said).expect("turns");
        let remembered = self.engine.engine.remember_turns(&CALLER, said).await.expect("remembered");
        self.settle().await;
        remembered.memories
    }

    /// The index agrees with the store, no record is damaged, and no link leads to what is gone.
    async fn is_whole(&self) {
        let partition = self.partition().await;
        assert_eq!(self.engine.index.differences(partition).await.expect("compared"), 0);
        assert_eq!(self.engine.engine.check(&CALLER, false).await.expect("checked").damage, []);
        let notes = self.histories(Kind::Note).await;
        let turns = self.histories(Kind::Turn).await;
        for link in notes.values().flatten().flat_map(|version| &version.links) {
            assert!(notes.contains_key(&link.to) || turns.contains_key(&link.to), "a dangling link");
        }
    }
}

/// Memory of the turn that a note annotates.
fn of_turn(note: &Memory) -> MemoryId {
    let own = note.links.iter().find(|link| link.relation.as_str() == Link::ANNOTATES);
    own.expect("a link to its turn").to
}

fn links_to_notes(note: &Memory) -> Vec<&Link> {
    note.links.iter().filter(|link| link.relation.as_str() != Link::ANNOTATES).collect()
}

fn said(at: usize) -> String {
    format!("We talked about the garden and the roses zq{at:03}.")
}

/// A note without what every version or restoration has of its own.
fn content(note: &Memory) -> Memory {
    let strength = Strength::new(note.strength.importance, 1.0, START);
    Memory { version: 1, recorded_at: START, derivation: None, strength, ..note.clone() }
}
