//! The client against a server that follows a script: each test says what is answered, in order, and then looks at
//! what was asked. So it shows what no real server can be made to do at will: to be busy twice, to break off, to lie.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::time::Duration;

use crate::script::{Script, ok};
use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use engrain::client::{JobQuery, RetryPolicy, SessionQuery};
use engrain::wire::{
    AddTurns, EditMemory, ExportLine, JobState, ListMemories, NewTurn, RecallRequest, Role, Scope,
};
use engrain::{Client, Error};
use futures::{StreamExt, TryStreamExt};
use serde_json::{Value, json};
use uuid::Uuid;

fn refused(status: u16, code: &str) -> Response {
    let body = json!({
        "type": format!("https://engrain.dev/problems/{code}"), "title": "No", "status": status, "code": code,
        "detail": "not today", "request_id": "r1",
    });
    (StatusCode::from_u16(status).unwrap(), [("content-type", "application/problem+json")], axum::Json(body))
        .into_response()
}

fn busy(retry_after_s: u32) -> Response {
    let mut response = refused(503, "overloaded");
    response.headers_mut().insert("retry-after", retry_after_s.into());
    response
}

/// A client that hardly waits.
fn client(url: &str) -> Client {
    let retry = RetryPolicy {
        retries: 2,
        first_wait: Duration::from_millis(2),
        longest_wait: Duration::from_secs(2),
    };
    Client::builder(url).retry(retry).api_key("secret").build().unwrap()
}

fn added_turns() -> Response {
    let id = Uuid::nil();
    ok(json!({"session_id": id, "turn_ids": [id], "memory_ids": [id], "repeated": false}))
}

fn conversation() -> AddTurns {
    let turns = vec![NewTurn::new(Role::User, "Tea, please.")];
    AddTurns { scope: Scope::user("mara"), turns, ..AddTurns::default() }
}

fn session(name: &str) -> Value {
    let moment = "2026-01-01T00:00:00Z";
    json!({"id": Uuid::nil(), "session": name, "turns": 1, "started_at": moment, "recorded_at": moment})
}

#[tokio::test]
async fn a_retried_write_keeps_its_key() {
    let (script, url) = Script::start([busy(0), refused(502, "gateway"), added_turns(), added_turns()]).await;
    let client = client(&url);
    client.add_turns(&conversation()).await.unwrap();
    client.add_turns(&conversation()).await.unwrap();

    let asked = script.asked();
    let keys: Vec<_> = asked.iter().map(|asked| asked.header("idempotency-key").unwrap()).collect();
    assert_eq!(asked.len(), 4);
    assert!(keys[0] == keys[1] && keys[1] == keys[2], "one piece of work, one key");
    assert_ne!(keys[2], keys[3], "another piece of work, another key");
    assert_eq!(asked[2].body, serde_json::to_value(conversation()).unwrap());
    assert_eq!((asked[0].method.as_str(), asked[0].uri.path()), ("POST", "/v1/turns"));
    assert_eq!(asked[0].header("authorization"), Some("Bearer secret"));
}

#[tokio::test]
async fn a_key_given_by_the_caller_is_sent() {
    let (script, url) = Script::start([added_turns()]).await;
    client(&url).keyed("import-7").add_turns(&conversation()).await.unwrap();
    assert_eq!(script.asked()[0].header("idempotency-key"), Some("import-7"));
    let refused = client(&url).keyed("two\nlines").add_turns(&conversation()).await;
    assert!(matches!(refused, Err(Error::InvalidHeader { name: "idempotency key" })));
}

#[tokio::test]
async fn a_refusal_is_returned_complete_and_not_retried() {
    let (script, url) = Script::start([refused(404, "not_found")]).await;
    let error = client(&url).memory(Uuid::nil()).await.unwrap_err();
    assert_eq!((error.code(), error.status(), error.is_temporary()), (Some("not_found"), Some(404), false));
    assert_eq!(error.to_string(), "No (not_found): not today");
    assert_eq!(script.asked().len(), 1);
}

#[tokio::test]
async fn retries_end_at_the_configured_number() {
    let (script, url) = Script::start([busy(0), busy(0), busy(0), ok(json!({"status": "ok"}))]).await;
    let error = client(&url).ready().await.unwrap_err();
    assert!(error.is_temporary());
    assert_eq!(script.asked().len(), 3);
}

#[tokio::test]
async fn a_too_long_retry_after_is_not_waited_for() {
    let (script, url) = Script::start([busy(3600)]).await;
    assert_eq!(client(&url).ready().await.unwrap_err().code(), Some("overloaded"));
    assert_eq!(script.asked().len(), 1);
}

#[tokio::test]
async fn an_error_without_problem_details_and_an_unreadable_response_are_distinguished() {
    let proxy = (StatusCode::BAD_REQUEST, "<html>What?</html>").into_response();
    let (_, url) = Script::start([proxy, ok(json!({"status": 5}))]).await;
    let client = client(&url);
    assert!(
        matches!(client.health().await, Err(Error::Status { status: 400, body }) if body.contains("What?"))
    );
    assert!(
        matches!(client.health().await, Err(Error::Decode { operation, .. }) if operation == "GET /health")
    );
}

#[tokio::test]
async fn a_refused_connection_is_a_transport_error() {
    let error = client("http://127.0.0.1:1").version().await.unwrap_err();
    assert!(matches!(error, Error::Transport(_)));
    assert!(error.is_temporary());
}

#[tokio::test]
async fn a_missing_response_times_out_and_is_not_retried() {
    let never = Body::from_stream(futures::stream::pending::<Result<Bytes, std::io::Error>>());
    let (script, url) = Script::start([Response::new(never)]).await;
    // Long enough for the request to arrive on a busy machine, or nothing would have been asked.
    let client = Client::builder(&url).timeout(Duration::from_secs(1)).build().unwrap();
    assert!(matches!(client.health().await, Err(Error::TimedOut(_))));
    assert_eq!(script.asked().len(), 1);
}

#[tokio::test]
async fn a_response_over_the_size_limit_is_refused() {
    let (_, url) = Script::start([ok(json!({"status": "x".repeat(2000)}))]).await;
    let client = Client::builder(&url).max_answer_bytes(1000).build().unwrap();
    assert!(matches!(client.health().await, Err(Error::TooLong { limit_bytes: 1000, .. })));
}

#[tokio::test]
async fn pages_become_one_stream() {
    let (script, url) = Script::start([
        ok(json!({"sessions": [session("a"), session("b")], "next_cursor": "c/1"})),
        ok(json!({"sessions": [], "next_cursor": "c2"})),
        ok(json!({"sessions": [session("c")]})),
    ])
    .await;
    let scope = Scope { agent_id: Some("chef & co".into()), ..Scope::user("mara") };
    let query = SessionQuery { scope, limit: Some(2), cursor: None };
    let sessions: Vec<_> = client(&url).all_sessions(query).try_collect().await.unwrap();
    let names: Vec<_> = sessions.iter().map(|session| session.session.as_str()).collect();
    assert_eq!(names, ["a", "b", "c"]);

    let queries: Vec<_> = script.asked().iter().map(|asked| asked.uri.query().unwrap().to_owned()).collect();
    assert_eq!(queries[0], "limit=2&user_id=mara&agent_id=chef+%26+co");
    assert!(queries[1].ends_with("&cursor=c%2F1") && queries[2].ends_with("&cursor=c2"));
}

#[tokio::test]
async fn a_cursor_that_does_not_advance_ends_the_stream_with_an_error() {
    let page = || ok(json!({"memories": [], "total": 9, "next_cursor": "same"}));
    let (script, url) = Script::start([page(), page(), page()]).await;
    let request = ListMemories { scope: Scope::user("mara"), ..ListMemories::default() };
    let memories: Vec<_> = client(&url).all_memories(request).collect().await;
    assert!(matches!(memories[..], [Err(Error::CutShort { .. })]));
    assert_eq!(script.asked().len(), 2);
}

/// An answer in pieces that do not end where lines do.
fn in_pieces(text: &str) -> Response {
    let pieces: Vec<_> = text
        .as_bytes()
        .chunks(7)
        .map(|piece| Ok::<_, std::io::Error>(Bytes::copy_from_slice(piece)))
        .collect();
    Response::new(Body::from_stream(futures::stream::iter(pieces)))
}

fn memory() -> Value {
    let moment = "2026-01-01T00:00:00Z";
    json!({
        "id": Uuid::nil(), "version": 1, "kind": "fact", "text": "Tea, not coffee.", "tokens": 5,
        "visibility": "owner", "happened_at": moment, "recorded_at": moment, "created_at": moment,
        "importance": 0.5,
    })
}

fn export_lines(records: u64) -> String {
    let record = json!({"record": "memory", "memory": memory(), "sources": []});
    let header = json!({"record": "header", "format": 1, "engrain": "0.1.0"});
    let owner = json!({"record": "owner", "scope": {"user_id": "mara"}});
    format!("{header}\n{owner}\n{record}\n\n{record}\n{}", json!({"record": "end", "records": records}))
}

#[tokio::test]
async fn an_export_is_streamed_line_by_line() {
    let (script, url) = Script::start([busy(0), in_pieces(&export_lines(2))]).await;
    let export = client(&url).export(&Scope::user("mara"));
    let lines: Vec<ExportLine> = export.try_collect().await.unwrap();
    assert_eq!(lines.len(), 5);
    assert!(matches!(&lines[2], ExportLine::Memory { memory, .. } if memory.text == "Tea, not coffee."));
    assert_eq!(script.asked()[1].uri, "/v1/export?user_id=mara");
}

#[tokio::test]
async fn an_incomplete_export_is_an_error() {
    let whole = export_lines(2);
    let without_end = &whole[..whole.rfind('\n').unwrap()];
    let (_, url) = Script::start([in_pieces(without_end), in_pieces(&export_lines(3))]).await;
    for lines_before in [4, 4] {
        let lines: Vec<_> = client(&url).export(&Scope::default()).collect().await;
        assert_eq!(lines.len(), lines_before + 1);
        assert!(matches!(lines.last(), Some(Err(Error::CutShort { .. }))));
    }
}

#[tokio::test]
async fn a_backup_is_written_unchanged() {
    let state = |state: &str, bytes: u64| {
        let id = Uuid::nil();
        json!({"id": id, "state": state, "bytes": bytes, "total_bytes": 25, "started_at": "2023-05-20T02:21:00Z"})
    };
    let answers = [state("running", 0), state("running", 14), state("ready", 25)];
    let answers = answers.map(|answer| in_pieces(&answer.to_string()));
    let (script, url) =
        Script::start(answers.into_iter().chain([in_pieces("SQLite format 3 and so on")])).await;
    let (mut file, mut seen) = (Vec::new(), Vec::new());
    assert_eq!(client(&url).backup(&mut file, |backup| seen.push(backup.bytes)).await.unwrap(), 25);
    assert_eq!(file, b"SQLite format 3 and so on");
    assert_eq!((&seen[..2], seen.last()), (&[0, 14][..], Some(&25)), "{seen:?}");
    let methods: Vec<_> = script.asked().iter().map(|asked| asked.method.to_string()).collect();
    assert_eq!(methods, ["POST", "GET", "GET", "POST"]);
}

#[tokio::test]
async fn a_backup_that_is_cut_short_or_failed_is_an_error() {
    for (state, text) in [("ready", "SQLite format 3 and"), ("failed", "")] {
        let id = Uuid::nil();
        let answer = json!({"id": id, "state": state, "bytes": 25, "total_bytes": 25, "started_at": ""});
        let (_, url) = Script::start([in_pieces(&answer.to_string()), in_pieces(text)]).await;
        let outcome = client(&url).backup(&mut Vec::new(), |_| {}).await;
        assert!(matches!(outcome, Err(Error::CutShort { .. })), "{outcome:?}");
    }
}

#[tokio::test]
async fn every_other_operation_uses_its_method_and_path() {
    let (script, url) = Script::start([]).await;
    let (client, id) = (client(&url), Uuid::nil());
    let recall =
        RecallRequest { scope: Scope::user("mara"), query: "tea?".into(), ..RecallRequest::default() };
    let why_not = engrain::wire::WhyNotRequest { memory_id: id, recall: recall.clone() };
    let delete = engrain::wire::DeleteMatching {
        scope: Scope::user("mara"),
        filter: engrain::wire::Filter::all([]),
        confirmation: None,
    };
    // No answer is scripted: each is refused with 500, which is not asked again.
    assert!(client.recall(&recall).await.is_err());
    assert!(client.why_not(&why_not).await.is_err());
    assert!(client.add_memories(&Default::default()).await.is_err());
    assert!(
        client
            .edit_memory(id, &EditMemory { expires_at: Some(None), ..EditMemory::default() })
            .await
            .is_err()
    );
    assert!(client.delete_memory(id).await.is_err());
    assert!(client.delete_matching(&delete).await.is_err());
    assert!(client.history(id).await.is_err());
    assert!(client.turns(id, Some(5), Some("c")).await.is_err());
    assert!(client.owners(None, None).await.is_err());
    assert!(client.job(id).await.is_err());
    let query = JobQuery { state: Some(JobState::Failed), limit: Some(5), ..JobQuery::default() };
    assert!(client.jobs(&query).await.is_err());
    assert!(client.cancel_job(id).await.is_err());
    assert!(client.reindex(&Default::default()).await.is_err());
    assert!(client.check(&Default::default()).await.is_err());
    assert!(client.metrics().await.is_err());
    assert!(client.openapi().await.is_err());

    let asked = script.asked();
    let places: Vec<_> = asked
        .iter()
        .map(|asked| format!("{} {}", asked.method, asked.uri).replace(&id.to_string(), "ID"))
        .collect();
    let expected = [
        "POST /v1/recall",
        "POST /v1/recall/why-not",
        "POST /v1/memories",
        "PATCH /v1/memories/ID",
        "DELETE /v1/memories/ID",
        "POST /v1/memories/delete",
        "GET /v1/memories/ID/history",
        "GET /v1/sessions/ID/turns?limit=5&cursor=c",
        "GET /v1/owners",
        "GET /v1/jobs/ID",
        "GET /v1/jobs?state=failed&limit=5",
        "POST /v1/jobs/ID/cancel",
        "POST /v1/admin/reindex",
        "POST /v1/admin/check",
        "GET /metrics",
        "GET /openapi.json",
    ];
    assert_eq!(places, expected);
    assert_eq!(asked[3].body, json!({"expires_at": null}), "null clears, and what is left out stays");
    let keyed: Vec<_> = asked.iter().map(|asked| asked.header("idempotency-key").is_some()).collect();
    let mut writes = [false; 16];
    [2, 3, 4, 5, 11, 12, 13].into_iter().for_each(|at| writes[at] = true);
    assert_eq!(keyed, writes);
}
