//! Notes of A-MEM through the engine, by a scripted language model whose descriptions name every turn that it was shown: a
//! trace of a turn is the marker in its text.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use memory_core::domain::filter::{Field, Filter, Scalar, Test};
use memory_core::domain::id::{MemoryId, PartitionId};
use memory_core::domain::link::Link;
use memory_core::domain::memory::{Kind, Memory, Strength};
use memory_core::domain::turn::Role;
use memory_core::index::Index;
use memory_core::memories::request::UndoRequest;
use memory_core::model::language_model::scripted::ScriptedLanguageModel;
use memory_core::model::language_model::{ModelRequest, Price};
use memory_core::recall::request::Recall;
use memory_core::store::{FilteredIds, IdPage, Jobs, Memories};
use memory_core::testing::rng::Rng;
use memory_core::testing::{CALLER, START, question, turn, turns, user};
use memory_core::think::amem::recall::NotesAsked;
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
        _ => json!({"links": [], "edits": []}).to_string(),
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
    let strength = Strength { strength: 1.0, refreshed_at: START, ..note.strength };
    Memory { version: 1, recorded_at: START, derivation: None, strength, ..note.clone() }
}

#[tokio::test]
async fn each_turn_with_content_gets_a_note_that_is_linked_and_evolves() {
    let story = Story::with(settings(ScriptedLanguageModel::new(busy))).await;
    let first = story.say_all(&[said(1)]).await;
    let second = story.say_all(&[said(2)]).await;
    let notes = story.notes().await;
    let (old, new) = (&notes[&first[0]], &notes[&second[0]]);
    assert_eq!((old.text.as_str(), old.kind, old.version), (said(1).as_str(), Kind::Note, 2));
    let links = links_to_notes(new);
    assert_eq!((links.len(), links[0].to, links[0].relation.as_str()), (1, old.id, "same_entity"));
    assert_eq!(links[0].reason.as_deref(), Some("seen zq001 zq002"));
    assert_eq!(old.annotation.as_ref().expect("annotated").context.as_deref(), Some("seen zq001 zq002"));
    let history = &story.histories(Kind::Note).await[&old.id];
    assert_eq!(history[0].annotation.as_ref().expect("annotated").context.as_deref(), Some("seen zq001"));
    story.is_whole().await;
}

#[tokio::test]
async fn an_evolution_touches_exactly_the_named_neighbours_among_a_thousand_notes() {
    let script = |request: &ModelRequest| {
        let shown = lines(request);
        if schema(request) != "evolve" || !request.user.contains("zqlast") {
            return quiet(request);
        }
        json!({"links": [], "edits": [described(request, &shown[2]["id"])]}).to_string()
    };
    let model = ScriptedLanguageModel::new(script);
    let story = Story::with(settings(model.clone())).await;
    for at in 0..10 {
        let texts: Vec<String> = (0..100).map(|one| said(at * 100 + one)).collect();
        story.say_all(&texts).await;
    }
    let before = story.notes().await;
    assert_eq!(before.len(), 1_000);
    story.say_all(&["The roses in the garden zqlast.".to_owned()]).await;
    let after = story.notes().await;
    let changed: Vec<&Memory> =
        before.iter().filter(|(turn, note)| after[*turn] != **note).map(|(_, note)| note).collect();
    let jobs = story.engine.store.jobs(CALLER.tenant, &Default::default(), None, 3).await.expect("jobs");
    for j in jobs {
        eprintln!("JOB {:?} {:?} {:?}", j.kind, j.state, j.error);
    }
    for r in model.requests().iter().rev().take(3) {
        eprintln!("REQ {} {}", schema(r), &r.user[..r.user.len().min(1500)]);
    }
    eprintln!("AFTER {}", after.len());
    assert_eq!(changed.len(), 1);
    let last = model.requests().last().cloned().expect("a request");
    assert_eq!(
        lines(&last)[2]["text"],
        json!(changed[0].text),
        "the second neighbour, and no rank of a store"
    );
}

#[tokio::test]
async fn no_description_is_built_on_an_evolved_one_by_default() {
    let model = ScriptedLanguageModel::new(busy);
    let story = Story::with(settings(model.clone())).await;
    for at in 0..6 {
        story.say_all(&[said(at)]).await;
    }
    for request in model.requests().iter().filter(|request| schema(request) == "evolve") {
        for line in lines(request) {
            let own = markers(line["text"].as_str().expect("a text"));
            assert_eq!(markers(line["context"].as_str().expect("a context")), own, "as analysed");
        }
    }
}

#[tokio::test]
async fn a_note_changes_only_so_often_on_one_day() {
    let story = Story::with(settings(ScriptedLanguageModel::new(busy))).await;
    let first = story.say_all(&[said(0)]).await;
    for at in 1..9 {
        story.say_all(&[said(at)]).await;
    }
    assert_eq!(story.notes().await[&first[0]].version, 5, "the first version and 4 edits");
}

#[tokio::test]
async fn refused_evolutions_leave_notes_without_links() {
    let script = |request: &ModelRequest| match schema(request) {
        "analyse" => analysis(request),
        _ => json!({"links": [{"from": "n1", "to": "n99", "type": "follows", "why": "x"}], "edits": []})
            .to_string(),
    };
    let story = Story::with(settings(ScriptedLanguageModel::new(script))).await;
    story.say_all(&[said(1)]).await;
    story.say_all(&[said(2)]).await;
    let notes = story.notes().await;
    assert_eq!(notes.len(), 2);
    assert!(notes.values().all(|note| note.version == 1 && links_to_notes(note).is_empty()));
}

#[tokio::test]
async fn the_same_turns_and_replies_give_the_same_notes() {
    for settings in [settings, published] {
        let mut all = Vec::new();
        for _ in 0..2 {
            let story = Story::with(settings(ScriptedLanguageModel::new(busy))).await;
            for at in 0..5 {
                story.say_all(&[said(at * 2), said(at * 2 + 1)]).await;
            }
            let told = |note: &Memory| {
                let reasons: Vec<_> = note.links.iter().map(|link| link.reason.clone()).collect();
                (note.text.clone(), note.annotation.clone(), note.tags.clone(), reasons, note.version)
            };
            let histories = story.histories(Kind::Note).await;
            let mut notes: Vec<_> = histories.values().flatten().map(told).collect();
            notes.sort_by(|one, other| (&one.0, one.4).cmp(&(&other.0, other.4)));
            all.push(notes);
        }
        assert_eq!(all[0], all[1]);
    }
}

#[tokio::test]
async fn the_undo_of_an_evolution_restores_every_touched_note() {
    for settings in [settings, published] {
        let story = Story::with(settings(ScriptedLanguageModel::new(busy))).await;
        for at in 0..4 {
            story.say_all(&[said(at)]).await;
        }
        let before = story.notes().await;
        let last = story.say_all(&[said(9)]).await;
        let evolved = story.notes().await;
        assert!(before.iter().any(|(turn, note)| evolved[turn] != *note));
        let jobs = story.engine.store.jobs(CALLER.tenant, &Default::default(), None, 1).await.expect("jobs");
        let request = UndoRequest { dry_run: false, with_dependents: false, idempotency: None };
        story.engine.engine.undo_job(&CALLER, jobs[0].id, request).await.expect("undone");
        let after = story.notes().await;
        assert!(!after.contains_key(&last[0]), "the new note is gone");
        let contents = |notes: &BTreeMap<MemoryId, Memory>| notes.values().map(content).collect::<Vec<_>>();
        assert_eq!(contents(&after), contents(&before));
        story.is_whole().await;
    }
}

#[tokio::test]
async fn a_note_is_found_by_its_present_description_and_not_by_a_former_one() {
    let script = |request: &ModelRequest| {
        let shown = lines(request);
        let fields =
            |id: &Value, word: &str| json!({"id": id, "keywords": [word], "tags": [], "context": word});
        match schema(request) {
            "analyse" => json!({"notes": [fields(&shown[0]["handle"], "quokka")]}).to_string(),
            _ => json!({"links": [], "edits": [fields(&shown[1]["id"], "wombat")]}).to_string(),
        }
    };
    let story = Story::with(settings(ScriptedLanguageModel::new(script))).await;
    let first = story.say_all(&[said(1)]).await;
    story.say_all(&[said(2)]).await;
    let old = story.notes().await[&first[0]].clone();
    let scope = user("mara").expect("a scope");
    let found = async |word: &str| {
        let filter = Filter::Field(Field::Kind, Test::Eq(Scalar::Text("note".to_owned())));
        let asked = Recall { limit: 1, filter, ..question(&scope, word) };
        story.engine.engine.recall(&CALLER, asked).await.expect("recalled").memories[0].memory.id
    };
    assert_eq!(found("wombat").await, old.id);
    assert_ne!(found("quokka").await, old.id);
}

#[tokio::test]
async fn linked_notes_are_never_cut_away_by_the_number_of_nearest_ones() {
    let story = Story::with(published(ScriptedLanguageModel::new(busy))).await;
    for at in 0..4 {
        story.say_all(&[said(at)]).await;
    }
    let (engine, scope) = (&story.engine.engine, user("mara").expect("a scope"));
    let recalled = async |limit, linked| {
        let query = said(3);
        let asked = (query.as_str(), NotesAsked { limit, linked });
        engine.recall_notes(&CALLER, &scope, asked, None).await.expect("recalled")
    };
    let found = recalled(1, 10).await;
    assert_eq!(found.notes.len(), 1);
    let linked: BTreeSet<MemoryId> = found.linked.iter().map(|note| note.id).collect();
    let expected = links_to_notes(&found.notes[0].memory).iter().map(|link| link.to).collect();
    assert_eq!(linked, expected);
    assert!(recalled(10, 10).await.linked.is_empty(), "what is found itself is not listed twice");
    assert!(recalled(1, 0).await.linked.is_empty());
    let too_many =
        engine.recall_notes(&CALLER, &scope, ("x", NotesAsked { limit: 101, linked: 0 }), None).await;
    assert!(too_many.is_err());
}

#[tokio::test]
async fn a_note_and_its_turn_are_one_result_and_take_one_place() {
    let story = Story::with(settings(ScriptedLanguageModel::new(quiet))).await;
    for at in 0..5 {
        story.say_all(&[said(at)]).await;
    }
    let scope = user("mara").expect("a scope");
    let asked = Recall { limit: 5, ..question(&scope, "roses in the garden") };
    let recalled = story.engine.engine.recall(&CALLER, asked).await.expect("recalled").memories;
    let items: BTreeSet<MemoryId> = recalled
        .iter()
        .map(|one| if one.memory.kind == Kind::Note { of_turn(&one.memory) } else { one.memory.id })
        .collect();
    assert_eq!((recalled.len(), items.len()), (5, 5));
}

#[tokio::test]
async fn notes_of_what_was_said_in_confidence_are_not_shown_together_with_others() {
    let model = ScriptedLanguageModel::new(busy);
    let story = Story::with(settings(model.clone())).await;
    story.say_all(&[said(1)]).await;
    let scope = user("mara").expect("a scope");
    let mut secret = turn(Role::User, &said(2), START);
    secret.audience = vec![memory_core::testing::fixtures::name("bob")];
    let request = turns(&scope, "chat", vec![turn(Role::User, &said(3), START), secret]).expect("turns");
    story.engine.engine.remember_turns(&CALLER, request).await.expect("remembered");
    story.settle().await;
    for request in model.requests() {
        let seen = markers(&request.user);
        assert!(seen == ["zq002"] || !seen.contains(&"zq002".to_owned()), "{seen:?}");
    }
    assert_eq!(story.notes().await.len(), 3);
}

/// Erases turns in a random order and looks for traces of each in everything that is left.
async fn erase_at_random(story: &Story, seed: u64) {
    let mut rng = Rng::new(seed);
    let mut of_turns: Vec<(MemoryId, String)> = Vec::new();
    let mut at = 0;
    for _ in 0..6 {
        let texts: Vec<String> = (0..=rng.below(3)).map(|one| said(at + one)).collect();
        at += texts.len();
        let ids = story.say_all(&texts).await;
        of_turns.extend(ids.into_iter().zip(texts.iter().map(|text| markers(text)[0].clone())));
    }
    while of_turns.len() > 2 {
        let (turn, marker) = of_turns.swap_remove(rng.below(of_turns.len()));
        let before = story.histories(Kind::Note).await;
        story.engine.engine.erase(&CALLER, turn, None).await.expect("erased");
        let after = story.histories(Kind::Note).await;
        assert!(!format!("{after:?}").contains(&marker), "a trace of {marker} is left");
        let remaining: BTreeSet<MemoryId> =
            after.values().filter_map(|versions| versions.last()).map(of_turn).collect();
        assert_eq!(remaining, of_turns.iter().map(|(turn, _)| *turn).collect(), "one note for each turn");
        for (id, versions) in &after {
            let had_trace = format!("{:?}", before[id]).contains(&marker);
            let had_link = before[id]
                .iter()
                .flat_map(|one| &one.links)
                .any(|link| !after.contains_key(&link.to) && link.relation.as_str() != Link::ANNOTATES);
            assert!(had_trace || had_link || versions == &before[id], "an untouched note changed");
        }
        story.is_whole().await;
    }
}

#[tokio::test]
async fn an_erasure_leaves_no_trace_of_a_turn_in_other_notes_and_takes_none_of_them() {
    for seed in 0..3 {
        erase_at_random(&Story::with(settings(ScriptedLanguageModel::new(busy))).await, seed).await;
        erase_at_random(&Story::with(published(ScriptedLanguageModel::new(busy))).await, seed).await;
    }
}
