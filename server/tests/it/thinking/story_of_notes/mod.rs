//! The story of a garden: notes that are linked and evolve, digests, portrait, working memory and grants, in a real server
//! process with a scripted model whose every reply names the marks of all that it was shown. The mark of a turn in a text is
//! a trace of the turn.

mod kills;
mod told;
mod traces;
mod undone;

use std::path::Path;
use std::time::Duration;

use engrain::Client;
use engrain::wire::{AddTurns, NewTurn, RecallRequest, Role, Scope};
use memory_core::testing::scripted_model::{Recorded, ScriptedModel, Step};
use serde_json::{Value, json};
use uuid::Uuid;

use super::month::{ask, scope};
use super::state::settled;

/// Session of the story.
const SESSION: &str = "garden";
/// Utterances on three days, each with a mark of its own.
const SAID: [(&str, &str, &str); 5] = [
    ("zqrose", "I planted zqrose roses in the garden.", "2024-05-06T09:00:00Z"),
    ("zqhedge", "I cut the zqhedge hedge of the garden back.", "2024-05-06T18:00:00Z"),
    ("zqpond", "Frogs live in the zqpond pond of the garden.", "2024-05-07T09:00:00Z"),
    ("zqfence", "I painted the zqfence fence of the garden.", "2024-05-07T18:00:00Z"),
    ("zqtulip", "Lena brought zqtulip bulbs for the garden.", "2024-05-08T09:00:00Z"),
];
/// Place of the turn that is erased.
const VICTIM: usize = 2;
/// Mark of the turn that is erased.
const MARK: &str = "zqpond";

/// Service that answers after this time.
async fn start(delay: Duration) -> ScriptedModel {
    ScriptedModel::start(move |request| answer(request).after(delay)).await
}

/// Variables of a server that makes facts, notes and digests with this service.
fn variables(model: &ScriptedModel) -> Vec<(String, String)> {
    let url = model.base_url();
    let pairs = [
        ("ENGRAIN_LANGUAGE_MODELS__FAKE__URL", url.as_str()),
        ("ENGRAIN_LANGUAGE_MODELS__FAKE__MODEL", "scripted-1"),
        ("ENGRAIN_THINKING__TASKS__EXTRACT", "fake"),
        ("ENGRAIN_THINKING__TASKS__EVOLVE", "fake"),
        ("ENGRAIN_THINKING__TASKS__DIGEST", "fake"),
        ("ENGRAIN_THINKING__NOTES", "true"),
        ("ENGRAIN_THINKING__DIGESTS", "true"),
    ];
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Marks in a text, each once.
fn marks(text: &str) -> Vec<String> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric());
    let mut marks: Vec<String> = words.filter(|word| word.starts_with("zq")).map(str::to_owned).collect();
    marks.sort_unstable();
    marks.dedup();
    marks
}

fn answer(request: &Recorded) -> Step {
    let material = request.user();
    let lines: Vec<Value> =
        material.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).collect();
    let with = |letter: char| {
        lines.iter().filter(move |line| line["handle"].as_str().is_some_and(|it| it.starts_with(letter)))
    };
    let handles: Vec<&Value> = with('t').map(|line| &line["handle"]).collect();
    let seen = format!("Seen in the garden: {}.", marks(material).join(", "));
    match request.schema_name() {
        "analyse" => {
            let notes: Vec<Value> = handles.iter().map(|id| described(id, material)).collect();
            Step::json(&json!({ "notes": notes }))
        }
        "evolve" => Step::json(&evolved(&lines, material, &seen)),
        "session" => Step::json(&json!({"sentences": [{"text": seen, "turns": handles}]})),
        "digest_portrait" => {
            let is_open = |line: &&Value| line["fixed"] != json!(true);
            let old: Vec<&Value> = with('s').filter(is_open).map(|line| &line["handle"]).collect();
            Step::json(&json!({"add": [{"text": seen, "evidence": handles}], "replace": [], "drop": old}))
        }
        "facts" => {
            let facts: Vec<Value> = with('t').flat_map(fact).collect();
            Step::json(&json!({ "facts": facts }))
        }
        _ => Step::json(&json!({"sentences": [{"text": seen, "evidence": handles}]})),
    }
}

fn fact(line: &Value) -> Vec<Value> {
    let of = |mark: String| {
        json!({"text": format!("The garden of the user has a {mark}."), "subject": "user", "object": mark,
            "evidence": [line["handle"]], "confidence": 0.9})
    };
    marks(&line["text"].to_string()).into_iter().map(of).collect()
}

/// Description with every mark that a request shows.
fn described(id: &Value, material: &str) -> Value {
    let seen = marks(material);
    json!({"id": id, "keywords": seen, "tags": ["garden"], "context": format!("Seen: {}.", seen.join(" "))})
}

/// Links from the new notes to all others, and a new description of each of these.
fn evolved(lines: &[Value], material: &str, why: &str) -> Value {
    let (new, known): (Vec<&Value>, Vec<&Value>) =
        lines.iter().filter(|line| line["id"].is_string()).partition(|line| line["is_new"] == json!(true));
    let from = |new: &&Value| -> Vec<Value> {
        let to =
            |one: &&Value| json!({"from": new["id"], "to": one["id"], "type": "same_entity", "why": why});
        known.iter().take(10).map(to).collect()
    };
    let links: Vec<Value> = new.iter().flat_map(from).collect();
    let edits: Vec<Value> = known.iter().take(16).map(|note| described(&note["id"], material)).collect();
    json!({"links": links, "edits": edits})
}

/// Says one utterance of the story; the memory of the turn.
async fn say(client: &Client, place: usize) -> Uuid {
    let (_, text, at) = SAID[place];
    let turn = NewTurn { said_at: Some(at.to_owned()), ..NewTurn::new(Role::User, text) };
    let session = Some(SESSION.to_owned());
    let request = AddTurns { scope: scope(), session, turns: vec![turn], ..AddTurns::default() };
    client.add_turns(&request).await.unwrap().memory_ids[0]
}

/// Tells the story: every utterance is thought about before the next one, then the session is recalled for and closed.
/// Returns the memories of the turns.
async fn tell(client: &Client) -> Vec<Uuid> {
    let mut turns = Vec::new();
    for place in 0..SAID.len() {
        turns.push(say(client, place).await);
        settled(client).await;
    }
    let asked = ask("Which animals live in the garden?");
    client.recall(&RecallRequest { session: Some(SESSION.to_owned()), ..asked }).await.unwrap();
    assert!(client.close_session(&scope(), SESSION).await.unwrap().asks_digest);
    settled(client).await;
    turns
}

fn bob() -> Scope {
    Scope::user("bob")
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}
