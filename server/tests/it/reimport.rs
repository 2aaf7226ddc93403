//! Files imported again: each turn and memory once, whatever happened between two imports.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::io::Cursor;
use std::path::Path;
use std::time::Duration;

use crate::process::ServerProcess;
use engrain::formats::archive::{ArchiveImport, ArchiveImported, ArchiveReader};
use engrain::formats::{Import, ImportOptions, Imported, read};
use engrain::wire::{AddTurns, ExportLine, ItemOutcome, ListMemories, Memory, NewTurn, Role, Scope, Session};
use engrain::{Client, client::SessionQuery};
use futures::TryStreamExt;
use serde_json::json;

fn scope() -> Scope {
    Scope::user("ann")
}

async fn imported(client: &Client, text: &str, again: bool) -> Imported {
    let options = ImportOptions { scope: scope(), batch_items: 3, ..ImportOptions::default() };
    let mut import = Import::new(client).again(again);
    for item in read(Cursor::new(text.to_owned()), "file", &options).unwrap() {
        import.send(item.unwrap()).await.unwrap();
    }
    import.finish().await.unwrap()
}

async fn present(client: &Client) -> Vec<Memory> {
    let request = ListMemories { scope: scope(), limit: Some(1_000), ..ListMemories::default() };
    client.list_memories(&request).await.unwrap().memories
}

async fn sessions(client: &Client) -> Vec<Session> {
    let query = SessionQuery { scope: scope(), limit: None, cursor: None };
    client.sessions(&query).await.unwrap().sessions
}

fn message(number: usize) -> serde_json::Value {
    let role = if number.is_multiple_of(2) { "user" } else { "assistant" };
    // Two equal answers, and no key.
    json!({"role": role, "content": format!("word{} and so on", number / 2 * 2)})
}

/// A conversation of this many messages: one record, a record per turn, and a ChatGPT export.
fn files(messages: usize) -> [String; 3] {
    let all: Vec<_> = (0..messages).map(message).collect();
    let lines = all.iter().map(|turn| {
        let mut turn = turn.clone();
        turn["session"] = "s".into();
        turn.to_string()
    });
    let nodes = (0..messages).map(|number| {
        let turn = message(number);
        let node = json!({
            "id": format!("n{number}"),
            "parent": number.checked_sub(1).map(|parent| format!("n{parent}")),
            "message": {
                "id": format!("n{number}"),
                "author": {"role": turn["role"]},
                "create_time": 1_700_000_000.0 + number as f64,
                "content": {"content_type": "text", "parts": [turn["content"]]},
            },
        });
        (format!("n{number}"), node)
    });
    let nodes: serde_json::Map<_, _> = nodes.collect();
    let chatgpt = json!([{"conversation_id": "c", "title": "t", "create_time": 1_700_000_000.0,
        "current_node": format!("n{}", messages - 1), "mapping": nodes}]);
    [
        json!([{"session": "s", "messages": all}]).to_string(),
        lines.collect::<Vec<_>>().join("\n"),
        chatgpt.to_string(),
    ]
}

#[tokio::test]
async fn a_conversation_that_has_grown_from_two_to_four_turns_has_four() {
    for (format, (short, long)) in files(2).into_iter().zip(files(4)).enumerate() {
        let directory = tempfile::tempdir().unwrap();
        let server = ServerProcess::start(directory.path()).await;
        let first = imported(&server.client, &short, false).await;
        assert_eq!((first.turns, first.added, first.existing), (2, 2, 0), "format {format}");
        let second = imported(&server.client, &long, false).await;
        assert_eq!((second.turns, second.added, second.existing), (4, 2, 2), "format {format}");
        assert_eq!(present(&server.client).await.len(), 4);
        assert_eq!(sessions(&server.client).await[0].turns, 4);
    }
}

#[tokio::test]
async fn what_was_erased_comes_back_only_when_it_is_asked_for() {
    for (format, file) in files(4).into_iter().enumerate() {
        let directory = tempfile::tempdir().unwrap();
        let server = ServerProcess::start(directory.path()).await;
        let client = &server.client;
        imported(client, &file, false).await;
        let erased = present(client).await.iter().find(|one| one.text.contains("word0")).unwrap().clone();
        client.delete_memory(erased.id).await.unwrap();
        assert_eq!(sessions(client).await[0].turns, 3, "the session counts what is there");
        let second = imported(client, &file, false).await;
        assert_eq!((second.added, second.existing, second.erased), (0, 3, 1), "format {format}");
        assert_eq!(present(client).await.len(), 3);
        let third = imported(client, &file, true).await;
        assert_eq!((third.added, third.existing, third.erased), (1, 3, 0));
        assert_eq!(present(client).await.len(), 4);
        let fourth = imported(client, &file, false).await;
        assert_eq!((fourth.added, fourth.existing, fourth.erased), (0, 4, 0));
    }
}

#[tokio::test]
async fn finished_memories_are_imported_once_and_stay_erased() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(directory.path()).await;
    let client = &server.client;
    let file = r#"[{"id": "m1", "memory": "Ann likes tea", "user_id": "ann"}, {"memory": "Ann has a cat", "user_id": "ann"}]"#;
    let newer = r#"[{"id": "m2", "memory": "Ann sings", "user_id": "ann"}, {"memory": "Ann has a cat", "user_id": "ann"},
        {"id": "m1", "memory": "Ann likes tea", "user_id": "ann"}]"#;
    assert_eq!(imported(client, file, false).await.added, 2);
    let second = imported(client, newer, false).await;
    assert_eq!((second.added, second.existing), (1, 2));
    for memory in present(client).await {
        client.delete_memory(memory.id).await.unwrap();
    }
    assert_eq!(imported(client, newer, false).await.erased, 3);
    assert_eq!(imported(client, newer, true).await.added, 3);
}

#[tokio::test]
async fn an_own_export_changes_nothing_in_the_store_that_it_came_from() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(directory.path()).await;
    let client = &server.client;
    imported(client, &files(4)[0], false).await;
    let live = AddTurns {
        scope: scope(),
        session: Some("live".to_owned()),
        turns: vec![NewTurn::new(Role::User, "yes"), NewTurn::new(Role::User, "yes")],
        ..AddTurns::default()
    };
    client.add_turns(&live).await.unwrap();
    let memory = engrain::wire::NewMemory { text: "a fact".to_owned(), ..Default::default() };
    let request = engrain::wire::AddMemories {
        scope: scope(),
        memories: vec![memory],
        ..engrain::wire::AddMemories::default()
    };
    client.add_memories(&request).await.unwrap();
    let lines: Vec<ExportLine> = client.export(&Scope::default()).try_collect().await.unwrap();
    let lines: Vec<String> = lines.iter().map(|line| serde_json::to_string(line).unwrap()).collect();
    let export = lines.join("\n");
    let before = present(client).await;
    let result = imported(client, &export, false).await;
    assert_eq!((result.added, result.existing), (0, 7));
    assert_eq!(present(client).await, before);
    for memory in before {
        client.delete_memory(memory.id).await.unwrap();
    }
    let result = restored(client, &export, false).await;
    assert_eq!((result.added, result.erased), (0, 7));
    assert_eq!(restored(client, &export, true).await.added, 7);
}

/// Imports an export as the archive that it is.
async fn restored(client: &Client, export: &str, again: bool) -> ArchiveImported {
    let mut import = ArchiveImport::new(client).again(again).strict(true);
    loop {
        let source = Cursor::new(export.to_owned());
        let max_record_bytes = ImportOptions::default().max_record_bytes;
        let reader = ArchiveReader::open(source, "export", max_record_bytes).unwrap().unwrap();
        for record in reader {
            import.add(record.unwrap()).await.unwrap();
        }
        if !import.finish_pass().await.unwrap() {
            return import.imported();
        }
    }
}

#[tokio::test]
async fn a_key_that_is_taken_is_a_conflict_and_the_other_turns_are_added() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(directory.path()).await;
    let turn =
        |key: &str, text: &str| NewTurn { key: Some(key.to_owned()), ..NewTurn::new(Role::User, text) };
    let add = async |turns| {
        let request = AddTurns { scope: scope(), turns, ..AddTurns::default() };
        server.client.add_turns(&request).await.unwrap()
    };
    let first = add(vec![turn("1", "tea")]).await;
    assert_eq!(first.outcomes, []);
    let second = add(vec![turn("1", "coffee"), turn("2", "milk")]).await;
    assert_eq!(second.outcomes, [ItemOutcome::Conflicting, ItemOutcome::Created]);
    assert_eq!((second.turn_ids[0], second.session_id), (first.turn_ids[0], first.session_id));
    let texts: Vec<_> = present(&server.client).await.into_iter().map(|memory| memory.text).collect();
    assert_eq!(texts, ["milk", "tea"]);
}

/// Removes what is kept of requests under idempotency keys, as their expiry does.
async fn forget_requests(directory: &Path) {
    let file = directory.join("engrain.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file);
    let mut connection = sqlx::ConnectOptions::connect(&options).await.unwrap();
    sqlx::raw_sql("DELETE FROM request_items; DELETE FROM request_records")
        .execute(&mut connection)
        .await
        .unwrap();
    sqlx::Connection::close(connection).await.unwrap();
}

#[tokio::test]
async fn a_killed_import_is_gone_on_with_even_after_all_idempotency_keys_expired() {
    let directory = tempfile::tempdir().unwrap();
    let file = &files(400)[1];
    for wait_ms in [20, 60, 150] {
        let server = ServerProcess::start(directory.path()).await;
        let client = server.client.clone();
        let text = file.clone();
        let importing = tokio::spawn(async move {
            let options = ImportOptions { scope: scope(), batch_items: 3, ..ImportOptions::default() };
            let mut import = Import::new(&client);
            for item in read(Cursor::new(text), "file", &options).unwrap() {
                if import.send(item.unwrap()).await.is_err() {
                    return;
                }
            }
        });
        tokio::time::sleep(Duration::from_millis(wait_ms)).await;
        server.kill();
        importing.await.unwrap();
        forget_requests(directory.path()).await;
    }
    let server = ServerProcess::start(directory.path()).await;
    let (one, other) =
        tokio::join!(imported(&server.client, file, false), imported(&server.client, file, false));
    assert_eq!((one.turns, other.turns), (400, 400));
    let all = present(&server.client).await;
    assert_eq!(all.len(), 400);
    let texts: std::collections::BTreeMap<String, usize> =
        all.into_iter().fold(Default::default(), |mut sum, memory| {
            *sum.entry(memory.text).or_default() += 1;
            sum
        });
    assert!(texts.values().all(|count| *count == 2), "each text is said twice in the file");
}
