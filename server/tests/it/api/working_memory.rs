//! Working memory over HTTP, through the router.

use axum::http::Method;
use serde_json::json;

use super::support::TestServer;

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
