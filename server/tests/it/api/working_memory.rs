//! Working memory over HTTP: through the router, and end to end by the SDK against a server process.

use std::time::Duration;

use axum::http::Method;
use engrain::wire::{AddTurns, NewTurn, RecallRequest, Role, Scope, ThreadKind, WorkingMemoryQuery};
use serde_json::json;

use super::support::TestServer;
use crate::process::ServerProcess;

#[tokio::test]
async fn unknown_sessions_and_bad_fields_are_refused_with_their_field() {
    let server = TestServer::working().await;
    let turns = json!([{"role": "user", "text": "When does the dentist open?"}]);
    let said = json!({"scope": {"user_id": "mara"}, "session": "a/b c", "turns": turns});
    assert_eq!(server.post("/v1/turns", &said).await.status, 201);
    let path = |rest: &str| format!("/v1/sessions/a%2Fb%20c/working-memory{rest}");
    let read = server.get(&path("?user_id=mara")).await.json();
    assert_eq!(read["session"]["session"], "a/b c");
    assert_eq!(read["threads"][0]["kind"], "question");
    for (rest, status, code, field) in [
        ("", 422, "invalid_request", "scope"),
        ("?user_id=bob", 404, "not_found", ""),
        ("?user_id=mara&budget_tokens=100001", 422, "over_limit", "budget_tokens"),
        ("?user_id=mara&budget_tokens=-1", 422, "wrong_type", "budget_tokens"),
        ("?user_id=mara&now=soon", 422, "invalid_request", "now"),
        ("?user_id=mara&partner=", 422, "invalid_request", "partner"),
        ("?user_id=mara&query=x", 422, "unknown_field", "query"),
    ] {
        let problem = server.get(&path(rest)).await.problem();
        assert_eq!(problem, (status, code.to_owned(), field.to_owned()), "{rest}");
    }
    let close = json!({"scope": {"user_id": "mara"}});
    let unknown = server.post("/v1/sessions/other/close", &close).await.problem();
    assert_eq!((unknown.0, unknown.1.as_str()), (404, "not_found"));
    let long = format!("/v1/sessions/{}/close", "k".repeat(300));
    assert_eq!(server.post(&long, &close).await.problem().2, "key");
    let closed = server.json(Method::POST, "/v1/sessions/a%2Fb%20c/close", close.to_string()).await.json();
    assert_eq!(closed["asks_digest"], false, "digests are off by default");
    assert!(closed["session"]["closed_at"].is_string());
    let sessions = server.get("/v1/sessions?user_id=mara").await.json();
    assert_eq!(sessions["sessions"][0]["closed_at"], closed["session"]["closed_at"]);
    let recall = json!({"scope": {"user_id": "mara"}, "query": "dentist", "session": ""});
    assert_eq!(server.post("/v1/recall", &recall).await.problem().2, "session");
}

#[tokio::test]
async fn a_session_is_read_closed_and_consolidated_by_the_sdk() {
    let directory = tempfile::tempdir().unwrap();
    let digests = ("ENGRAIN_THINKING__DIGESTS".to_owned(), "true".to_owned());
    let server = ServerProcess::start_in(directory.path(), &[digests]).await;
    let (client, scope) = (&server.client, Scope::user("mara"));
    let say = |session: &str, role, text: &str| AddTurns {
        scope: scope.clone(),
        session: Some(session.to_owned()),
        turns: vec![NewTurn::new(role, text)],
        visibility: None,
        again: false,
        wait: false,
    };
    client.add_turns(&say("earlier", Role::User, "My dentist is Dr. Silva in Lisbon.")).await.unwrap();
    client.add_turns(&say("to/day", Role::User, "My tooth hurts again.")).await.unwrap();
    let recall = RecallRequest {
        scope: scope.clone(),
        query: "dentist in Lisbon".to_owned(),
        session: Some("to/day".to_owned()),
        ..RecallRequest::default()
    };
    client.recall(&recall).await.unwrap();
    client.add_turns(&say("to/day", Role::Assistant, "I will call Dr. Silva tomorrow.")).await.unwrap();
    let query =
        WorkingMemoryQuery { scope: scope.clone(), session: "to/day".to_owned(), ..Default::default() };
    let read = client.working_memory(&query).await.unwrap();
    assert_eq!(read.turns.len(), 2);
    assert!(read.recalled.iter().any(|one| one.memory.text.contains("My dentist is")), "{:?}", read.recalled);
    assert_eq!(read.threads.iter().map(|thread| thread.kind).collect::<Vec<_>>(), [ThreadKind::Promise]);
    assert!(
        read.context.tokens <= 2_000 && read.context.text.contains("## Open threads"),
        "{:?}",
        read.context
    );

    let closed = client.close_session(&scope, "to/day").await.unwrap();
    assert!(closed.asks_digest && closed.session.closed_at.is_some());
    let mut digest = None;
    for _ in 0..200 {
        digest = client.working_memory(&query).await.unwrap().digest;
        if digest.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let digest = digest.expect("a digest");
    assert!(digest.text.contains("My tooth hurts again."), "{}", digest.text);
    assert!(digest.tags.iter().any(|tag| tag == "extractive"));
    let made = client.provenance(digest.id).await.unwrap().derivation.unwrap();
    assert_eq!((made.maker.as_str(), made.inputs.len()), ("consolidate", 2));
    let again = client.close_session(&scope, "to/day").await.unwrap();
    assert_eq!(again.session.closed_at, closed.session.closed_at);
    server.kill();
}
