//! Refusals of the operations on thinking that no typed client can send, and their answers without a model.

use axum::http::Method;
use serde_json::json;

use super::support::TestServer;

#[tokio::test]
async fn unknown_profiles_fields_and_times_are_refused_with_their_field() {
    let server = TestServer::working().await;
    let scope = json!({"user_id": "mara"});
    for profile in ["tim", "Default", ""] {
        let body = json!({"scope": scope, "profile": profile});
        let answer = server.json(Method::PUT, "/v1/thinking", body.to_string()).await;
        assert_eq!(answer.problem(), (422, "wrong_type".to_owned(), "profile".to_owned()), "{body}");
    }
    let preview = json!({"scope": scope, "turns": [{"role": "user", "text": "Hi", "said_at": "soon"}]});
    let (status, code, field) = server.post("/v1/facts/preview", &preview).await.problem();
    assert_eq!((status, code.as_str(), field.as_str()), (422, "invalid_request", "turns[0].said_at"));
    for query in ["valid_at=2024-13-01", "known_at=now"] {
        let (status, code, field) = server.get(&format!("/v1/profile?user_id=mara&{query}")).await.problem();
        let expected = query.split('=').next().unwrap_or_default();
        assert_eq!((status, code.as_str(), field.as_str()), (422, "invalid_request", expected));
    }
    assert_eq!(server.get("/v1/profile?subject=user").await.problem().0, 422, "no scope");
    let audit = json!({"scope": scope, "examples": 101});
    assert_eq!(server.post("/v1/audit", &audit).await.problem().2, "examples");
}

#[tokio::test]
async fn without_a_model_thinking_is_off_and_a_preview_finds_what_rules_find() {
    let server = TestServer::working().await;
    let state = server.get("/v1/thinking?user_id=mara").await.json();
    assert_eq!((&state["profile"], &state["is_active"]), (&json!("default"), &json!(false)));
    let turns = json!([{"role": "user", "text": "I live in Paris."}]);
    let preview =
        server.post("/v1/facts/preview", &json!({"scope": {"user_id": "mara"}, "turns": turns})).await.json();
    assert_eq!((&preview["made_by"], &preview["calls"]), (&json!("facts.rules"), &json!(0)));
    assert_eq!(preview["facts"][0]["object"], "Paris");
}

#[tokio::test]
async fn a_setting_without_its_value_is_refused_and_null_returns_to_the_configuration() {
    let server = TestServer::working().await;
    let scope = json!({"user_id": "mara"});
    for (path, field, value) in
        [("/v1/thinking", "profile", "off"), ("/v1/timezone", "timezone", "Asia/Shanghai")]
    {
        let put = async |body: serde_json::Value| server.json(Method::PUT, path, body.to_string()).await;
        assert_eq!(put(json!({"scope": scope, field: value})).await.json()["is_own"], true);
        let refused = put(json!({"scope": scope})).await.problem();
        assert_eq!(refused, (422, "missing_field".to_owned(), field.to_owned()));
        assert_eq!(server.get(&format!("{path}?user_id=mara")).await.json()[field], value);
        assert_eq!(put(json!({"scope": scope, field: null})).await.json()["is_own"], false);
    }
}

#[tokio::test]
async fn a_profile_without_its_model_says_that_nothing_is_made() {
    let server = TestServer::working().await;
    assert_eq!(server.get("/v1/thinking?user_id=mara").await.json().get("missing_models"), None);
    let body = json!({"scope": {"user_id": "mara"}, "profile": "amem.paper"});
    let state = server.json(Method::PUT, "/v1/thinking", body.to_string()).await.json();
    let missing = state["missing_models"][0].as_str().unwrap_or_default();
    assert!(missing.contains("amem.paper") && missing.contains("`evolve`"), "{state}");
    let recall = json!({"scope": {"user_id": "mara"}, "query": "Where does Mara live?"});
    let notes = server.post("/v1/notes/recall", &recall).await;
    assert_eq!((notes.status.as_u16(), notes.json()), (200, json!({"notes": [], "linked": []})));
}
