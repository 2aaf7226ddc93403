//! Exports and imports as commands of real processes: the copy is the store, also after kills, and a damaged file is told.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use crate::process::ServerProcess;
use engrain::Client;
use engrain::client::ForgottenQuery;
use engrain::wire::{
    AddMemories, AddTurns, DeleteOwner, EditMemory, ForgettingPolicy, Link, ListMemories, NewMemory, NewTurn,
    PreviewSweep, RestoreForgotten, Role, Scope, SetForgettingPolicy, SetThinking, SetTimezone,
    SweepMemories, ThinkingProfile,
};
use uuid::Uuid;

/// Turns of the conversation.
const TURNS: usize = 300;

/// Command over a data directory.
fn command(data_dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_engrain"));
    command.env("ENGRAIN_MODEL__EMBEDDER", "hashing").arg("--data-dir").arg(data_dir).args(arguments);
    command
}

fn run(data_dir: &Path, arguments: &[&str]) -> Output {
    command(data_dir, arguments).output().unwrap()
}

fn succeeds(data_dir: &Path, arguments: &[&str]) -> String {
    let output = run(data_dir, arguments);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {told}");
    String::from_utf8(output.stdout).unwrap()
}

fn canonical(data_dir: &Path) -> String {
    succeeds(data_dir, &["export", "--canonical", "--history"])
}

/// A conversation, facts of facts of it, edits, links, and a profile of thinking. Returns the memory of the first turn.
async fn fill(client: &Client) -> Uuid {
    let scope = Scope::user("ann");
    let policy = Some(ForgettingPolicy { surprise_gain: 4.0, ..ForgettingPolicy::default() });
    client.set_forgetting_policy(&SetForgettingPolicy { scope: scope.clone(), policy }).await.unwrap();
    let turns = (0..TURNS).map(|number| NewTurn {
        position: (number % 2 == 0).then(|| u32::try_from(number).unwrap()),
        said_at: (number % 3 == 0).then(|| "2024-05-01T23:30:00+08:00".to_owned()),
        ..NewTurn::new(Role::User, format!("word{number} and so on"))
    });
    let request = AddTurns {
        scope: scope.clone(),
        session: Some("s".to_owned()),
        turns: turns.collect(),
        ..AddTurns::default()
    };
    let said = client.add_turns(&request).await.unwrap();
    let fact = |text: &str, source: Uuid| NewMemory {
        text: text.to_owned(),
        sources: vec![source],
        key: Some(text.to_owned()),
        ..NewMemory::default()
    };
    let add = async |memory: NewMemory| {
        let request = AddMemories { scope: scope.clone(), memories: vec![memory], ..AddMemories::default() };
        client.add_memories(&request).await.unwrap().memory_ids[0]
    };
    let first = add(fact("a fact of a turn", said.turn_ids[0])).await;
    let second = add(fact("a fact of a fact", first)).await;
    // The text is a person's now; what it was made of is kept by its first version.
    let edit = EditMemory { text: Some("an edited fact".to_owned()), ..EditMemory::default() };
    client.edit_memory(first, &edit).await.unwrap();
    let links = Some(vec![Link { to: second, relation: "supports".to_owned(), weight: 0.3, reason: None }]);
    client.edit_memory(said.memory_ids[3], &EditMemory { links, ..EditMemory::default() }).await.unwrap();
    client.delete_memory(said.memory_ids[7]).await.unwrap();
    let thinking = SetThinking { scope: scope.clone(), profile: Some(ThinkingProfile::Off) };
    client.set_thinking(&thinking).await.unwrap();
    let timezone = SetTimezone { scope: scope.clone(), timezone: Some("Asia/Shanghai".to_owned()) };
    client.set_timezone(&timezone).await.unwrap();
    let other = AddMemories {
        scope: Scope { agent_id: Some("chef".to_owned()), ..Scope::default() },
        memories: vec![NewMemory { text: "of an agent".to_owned(), ..NewMemory::default() }],
        ..AddMemories::default()
    };
    client.add_memories(&other).await.unwrap();
    said.memory_ids[0]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_import_of_an_export_is_the_same_store_and_erases_alike() {
    let directory = tempfile::tempdir().unwrap();
    let (source, copy, file) =
        (directory.path().join("a"), directory.path().join("b"), directory.path().join("e.jsonl"));
    let server = ServerProcess::start(&source).await;
    let root = fill(&server.client).await;
    let file_name = file.to_str().unwrap();
    succeeds(&source, &["export", "-o", file_name]);
    succeeds(&copy, &["import", file_name]);
    assert_eq!(canonical(&copy), canonical(&source));
    assert!(canonical(&copy).contains("nearest_cosine"), "surprise is in the archive");
    let again: serde_json::Value =
        serde_json::from_str(&succeeds(&copy, &["import", file_name, "--json"])).unwrap();
    assert_eq!(again["restored"]["added"], 0, "{again}");
    assert_eq!(again["restored"]["references_lost"], 0, "{again}");
    assert_eq!(canonical(&copy), canonical(&source));

    let imported = ServerProcess::start(&copy).await;
    let here = server.client.delete_memory(root).await.unwrap().memory_ids;
    let there = imported.client.delete_memory(root).await.unwrap().memory_ids;
    assert_eq!((here.len(), &here), (3, &there));
    assert_eq!(canonical(&copy), canonical(&source));
    let left = ListMemories { scope: Scope::user("ann"), ..ListMemories::default() };
    let left = imported.client.list_memories(&left).await.unwrap();
    assert_eq!(left.total, TURNS as u64 - 2, "both facts are gone with the turn");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_that_was_killed_is_completed_by_its_repetition() {
    let directory = tempfile::tempdir().unwrap();
    let (source, copy, file) =
        (directory.path().join("a"), directory.path().join("b"), directory.path().join("e.jsonl"));
    let server = ServerProcess::start(&source).await;
    fill(&server.client).await;
    let file_name = file.to_str().unwrap();
    for wait_ms in [1, 30, 90] {
        let mut exporting =
            command(&source, &["export", "-o", file_name]).stderr(Stdio::null()).spawn().unwrap();
        tokio::time::sleep(Duration::from_millis(wait_ms)).await;
        let _ = exporting.kill();
        exporting.wait().unwrap();
    }
    succeeds(&source, &["export", "-o", file_name]);
    for wait_ms in [30, 120, 250, 400] {
        let mut importing = command(&copy, &["import", file_name])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        tokio::time::sleep(Duration::from_millis(wait_ms)).await;
        let _ = importing.kill();
        importing.wait().unwrap();
    }
    succeeds(&copy, &["import", file_name]);
    assert_eq!(canonical(&copy), canonical(&source));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_that_was_cut_short_is_told_and_what_it_has_is_imported() {
    let directory = tempfile::tempdir().unwrap();
    let (source, copy, file) =
        (directory.path().join("a"), directory.path().join("b"), directory.path().join("e.jsonl"));
    let server = ServerProcess::start(&source).await;
    fill(&server.client).await;
    let file_name = file.to_str().unwrap();
    let whole = succeeds(&source, &["export", "--user", "ann"]);
    let lines: Vec<&str> = whole.lines().collect();
    std::fs::write(&file, lines[..lines.len() - 2].join("\n")).unwrap();
    let output = run(&copy, &["import", file_name]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code().map(|code| code != 0), Some(true), "{told}");
    assert!(told.contains("the file is incomplete"), "{told}");
    std::fs::write(&file, whole).unwrap();
    succeeds(&copy, &["import", file_name]);
    let ann = ["export", "--canonical", "--history", "--user", "ann"];
    assert_eq!(succeeds(&copy, &ann), succeeds(&source, &ann));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_that_is_erased_and_imported_again_forgets_as_before() {
    let directory = tempfile::tempdir().unwrap();
    let (data_dir, file) = (directory.path().join("a"), directory.path().join("e.jsonl"));
    let server = ServerProcess::start(&data_dir).await;
    let (client, ann, file_name) = (&server.client, Scope::user("ann"), file.to_str().unwrap());
    let facts =
        (0..60).map(|number| NewMemory { text: format!("Ann counts to {number}"), ..NewMemory::default() });
    let facts = AddMemories { scope: ann.clone(), memories: facts.collect(), ..AddMemories::default() };
    client.add_memories(&facts).await.unwrap();
    let policy = ForgettingPolicy {
        curve: "wixted".to_owned(),
        effect: "delete".to_owned(),
        rule: "quota_alone".to_owned(),
        quota_memories: Some(20),
        weight: Some(0.3),
        grace_days: 700,
        ..ForgettingPolicy::default()
    };
    let set = SetForgettingPolicy { scope: ann.clone(), policy: Some(policy) };
    let state = client.set_forgetting_policy(&set).await.unwrap();
    client.sweep_memories(&SweepMemories { scope: ann.clone(), now: None, wait: true }).await.unwrap();
    let listed = ForgottenQuery { scope: ann.clone(), limit: Some(1_000), ..Default::default() };
    let page = client.forgotten(&listed).await.unwrap();
    let some: Vec<Uuid> = page.memories.iter().take(10).map(|one| one.id).collect();
    let restore = RestoreForgotten { scope: ann.clone(), memory_ids: Some(some), ..Default::default() };
    client.restore_forgotten(&restore).await.unwrap();
    let look = async || {
        let mut previews = Vec::new();
        for now in ["2030-01-01T00:00:00Z", "2031-01-01T00:00:00Z", "2040-01-01T00:00:00Z"] {
            let now = Some(now.to_owned());
            let preview = PreviewSweep { scope: ann.clone(), now, limit: Some(1_000), ..Default::default() };
            previews.push(client.preview_sweep(&preview).await.unwrap());
        }
        (previews, client.forgotten(&listed).await.unwrap())
    };
    let before = look().await;
    let [first, last] = [0, 2].map(|at| &before.0[at].counts);
    assert!(first.evicted > 0 && first.remembered == 0 && last.erased > 0, "{:?}", before.0);

    succeeds(&data_dir, &["export", "-o", file_name, "--user", "ann"]);
    let whole = canonical(&data_dir);
    let asked = DeleteOwner { scope: ann.clone(), confirmation: None };
    let confirmation = client.delete_owner(&asked).await.unwrap().confirmation;
    let erased = client.delete_owner(&DeleteOwner { confirmation, ..asked }).await.unwrap();
    // Before its end, the ids of the memories are not free.
    has_ended(client, erased.job_id.expect("a job")).await;
    assert!(client.forgetting_policy(&ann).await.unwrap().is_default);
    succeeds(&data_dir, &["import", file_name, "--again"]);
    assert_eq!(client.forgetting_policy(&ann).await.unwrap(), state);
    assert_eq!(look().await, before);
    assert_eq!(canonical(&data_dir), whole);
}

async fn has_ended(client: &Client, job: Uuid) {
    for _ in 0..600 {
        if client.job(job).await.unwrap().state.is_over() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("job {job} goes on");
}

/// What a sweep of Ann as of a moment would forget, by its preview, and what is forgotten after it.
async fn swept(client: &Client, now: &str) -> (Vec<Uuid>, Vec<Uuid>) {
    let (ann, now) = (Scope::user("ann"), Some(now.to_owned()));
    let preview =
        PreviewSweep { scope: ann.clone(), now: now.clone(), limit: Some(1_000), ..Default::default() };
    let changes = client.preview_sweep(&preview).await.unwrap().changes;
    client.sweep_memories(&SweepMemories { scope: ann.clone(), now, wait: true }).await.unwrap();
    let listed = ForgottenQuery { scope: ann, limit: Some(1_000), ..ForgottenQuery::default() };
    let forgotten = client.forgotten(&listed).await.unwrap().memories;
    let sorted = |mut ids: Vec<Uuid>| {
        ids.sort_unstable();
        ids
    };
    (sorted(changes.iter().map(|one| one.id).collect()), sorted(forgotten.iter().map(|one| one.id).collect()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_sweep_after_an_import_draws_as_in_the_exported_store() {
    let directory = tempfile::tempdir().unwrap();
    let [source, copy, bare, file] = ["a", "b", "c", "e.jsonl"].map(|name| directory.path().join(name));
    let file_name = file.to_str().unwrap();
    let server = ServerProcess::start(&source).await;
    let facts = (0..100).map(|number| NewMemory {
        text: format!("Ann counts to {number}"),
        happened_at: Some("2024-01-01T00:00:00Z".to_owned()),
        ..NewMemory::default()
    });
    let ann = Scope::user("ann");
    let facts = AddMemories { scope: ann.clone(), memories: facts.collect(), ..AddMemories::default() };
    server.client.add_memories(&facts).await.unwrap();
    let policy = Some(ForgettingPolicy {
        curve: "memorybank.intended".to_owned(),
        effect: "exclude".to_owned(),
        rule: "conditional_draw".to_owned(),
        ..ForgettingPolicy::default()
    });
    server.client.set_forgetting_policy(&SetForgettingPolicy { scope: ann, policy }).await.unwrap();
    swept(&server.client, "2024-01-01T06:00:00Z").await;
    swept(&server.client, "2024-01-01T12:00:00Z").await;
    let whole = succeeds(&source, &["export", "--user", "ann"]);
    let moment = r#","forgetting_checked_at":"2024-01-01T12:00:00Z""#;
    assert_eq!(whole.matches(moment).count(), 1, "{whole}");

    std::fs::write(&file, whole.replace(moment, r#","forgetting_checked_at":"2999-01-01T00:00:00Z""#))
        .unwrap();
    let refused = run(&copy, &["import", file_name]);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && told.contains("user ann"), "{told}");
    assert_eq!(succeeds(&copy, &["export", "--canonical"]), "", "nothing is written");
    std::fs::write(&file, &whole).unwrap();
    succeeds(&copy, &["import", file_name]);
    assert_eq!(canonical(&copy), canonical(&source));
    std::fs::write(&file, whole.replace(moment, "")).unwrap();
    succeeds(&bare, &["import", file_name]);

    let (copied, without) = (ServerProcess::start(&copy).await, ServerProcess::start(&bare).await);
    let next = "2024-01-01T18:00:00Z";
    let expected = swept(&server.client, next).await;
    assert!(!expected.0.is_empty() && expected.0.len() < expected.1.len(), "{expected:?}");
    assert_eq!(swept(&copied.client, next).await, expected);
    let drawn_once_more = swept(&without.client, next).await;
    assert!(drawn_once_more.1.len() > expected.1.len(), "{drawn_once_more:?}");
}
