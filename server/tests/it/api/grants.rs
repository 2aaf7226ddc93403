//! Grants over HTTP: given, used in a recall, listed, audited, revoked.

use axum::http::Method;
use serde_json::{Value, json};

use super::support::TestServer;

async fn remember(server: &TestServer, user: &str, text: &str, tag: &str) -> Value {
    let body = json!({"scope": {"user_id": user}, "memories": [{"text": text, "tags": [tag]}]});
    let added = server.post("/v1/memories", &body).await;
    assert_eq!(added.status, 201);
    added.json()["memory_ids"][0].clone()
}

async fn recall(server: &TestServer) -> Value {
    server.post("/v1/recall", &json!({"scope": {"user_id": "bob"}, "query": "beagle"})).await.json()
}

fn by_tag() -> Value {
    json!({"scope": {"user_id": "ann"}, "to": {"user_id": "bob"}, "tag": "dog"})
}

#[tokio::test]
async fn a_grant_is_given_used_audited_and_revoked() {
    let server = TestServer::working().await;
    let id = remember(&server, "ann", "the beagle barks", "dog").await;
    remember(&server, "ann", "the beagle has a secret", "secret").await;
    assert_eq!(recall(&server).await["memories"], json!([]));
    let given = server.keyed(Method::POST, "/v1/grants", "k", &by_tag()).await;
    assert_eq!(given.status, 201);
    let grant = given.json();
    assert_eq!((&grant["state"], &grant["tag"]), (&json!("open"), &json!("dog")));
    let again = server.keyed(Method::POST, "/v1/grants", "k", &by_tag()).await;
    assert_eq!((again.status.as_u16(), again.json()), (200, grant.clone()));
    let mut other = by_tag();
    other["tag"] = json!("cat");
    let reused = server.keyed(Method::POST, "/v1/grants", "k", &other).await;
    assert_eq!(reused.problem().1, "idempotency_key_reused");

    let recalled = recall(&server).await;
    assert_eq!(recalled["memories"].as_array().map(Vec::len), Some(1), "{recalled}");
    let found = &recalled["memories"][0];
    assert_eq!((&found["id"], &found["text"]), (&id, &json!("the beagle barks")));
    let by = json!({"grant_id": grant["id"], "owner": {"kind": "user", "id": "ann"}});
    assert_eq!(found["granted_by"], by);
    assert!(recalled["context"]["text"].as_str().is_some_and(|text| text.contains("[from user ann]")));
    let without = json!({"scope": {"user_id": "bob"}, "query": "beagle", "include_granted": false});
    assert_eq!(server.post("/v1/recall", &without).await.json()["memories"], json!([]));

    let path = format!("/v1/grants/{}", grant["id"].as_str().expect("an id"));
    let received = server.get("/v1/grants?user_id=bob&direction=received").await.json();
    assert_eq!(received["grants"], json!([grant]));
    assert_eq!(server.get("/v1/grants?user_id=bob").await.json()["grants"], json!([]));
    let revoked = server.json(Method::DELETE, &path, "").await.json();
    assert_eq!(revoked["state"], "revoked");
    assert_eq!(recall(&server).await["memories"], json!([]), "at once");
    assert_eq!(server.get("/v1/grants?user_id=ann").await.json()["grants"], json!([]));
    assert_eq!(server.get("/v1/grants?user_id=ann&all=true").await.json()["grants"], json!([revoked]));
    server.test_engine().engine.stop().await;
    let log = server.get(&format!("{path}/events?limit=2")).await.json();
    let mut kinds: Vec<&str> =
        log["events"].as_array().into_iter().flatten().filter_map(|event| event["kind"].as_str()).collect();
    let cursor = log["next_cursor"].as_str().expect("another page");
    let rest = server.get(&format!("{path}/events?cursor={cursor}")).await.json();
    kinds.push(rest["events"][0]["kind"].as_str().expect("a kind"));
    kinds.sort_unstable();
    assert_eq!(kinds, ["given", "revoked", "used"]);
}

#[tokio::test]
async fn a_grant_by_filter_shows_its_filter_in_utc() {
    let server = TestServer::working().await;
    remember(&server, "ann", "the beagle barks", "dog").await;
    let filter = json!({"and": [
        {"field": "tags", "in": ["dog"]}, {"not": {"field": "happened_at", "range": {"lt": "2020-01-01"}}}
    ]});
    let body = json!({"scope": {"user_id": "ann"}, "to": {"agent_id": "planner"}, "filter": filter});
    let grant = server.post("/v1/grants", &body).await.json();
    let shown = json!({"and": [
        {"field": "tags", "in": ["dog"]},
        {"not": {"field": "happened_at", "range": {"lt": "2020-01-01T00:00:00Z"}}}
    ]});
    assert_eq!(grant["filter"], shown);
    let asked = json!({"scope": {"agent_id": "planner"}, "query": "beagle"});
    let recalled = server.post("/v1/recall", &asked).await.json();
    assert_eq!(recalled["memories"][0]["granted_by"]["grant_id"], grant["id"]);
}

#[tokio::test]
async fn bad_requests_about_grants_are_refused_with_their_path() {
    let server = TestServer::working().await;
    let id = remember(&server, "ann", "the beagle barks", "dog").await;
    let ann = json!({"user_id": "ann"});
    let bob = json!({"user_id": "bob"});
    for (body, field) in [
        (json!({"scope": ann, "to": bob}), "memory_ids"),
        (json!({"scope": ann, "to": bob, "tag": "a", "memory_ids": [id]}), "memory_ids"),
        (json!({"scope": ann, "to": bob, "memory_ids": []}), "memory_ids"),
        (json!({"scope": ann, "to": ann, "tag": "a"}), "to"),
        (json!({"scope": ann, "to": {}, "tag": "a"}), "to"),
        (json!({"scope": ann, "to": bob, "tag": " "}), "tag"),
        (json!({"scope": ann, "to": bob, "filter": {}}), "filter"),
        (json!({"scope": ann, "to": bob, "tag": "a", "expires_at": "2000-01-01"}), "expires_at"),
    ] {
        let problem = server.post("/v1/grants", &body).await.problem();
        assert_eq!(problem, (422, "invalid_request".to_owned(), field.to_owned()), "{body}");
    }
    let nobody = json!({"scope": {"user_id": "nobody"}, "to": bob, "tag": "a"});
    assert_eq!(server.post("/v1/grants", &nobody).await.problem().1, "not_found");
    let unknown = format!("/v1/grants/{}", uuid::Uuid::nil());
    assert_eq!(server.get(&unknown).await.problem().1, "not_found");
    assert_eq!(server.json(Method::DELETE, &unknown, "").await.problem().1, "not_found");
    assert_eq!(server.get(&format!("{unknown}/events")).await.problem().1, "not_found");
    assert_eq!(server.get("/v1/grants").await.problem().2, "scope");
    assert_eq!(server.get("/v1/grants?user_id=a&cursor=x").await.problem().2, "cursor");
    assert_eq!(server.get("/v1/grants?user_id=a&limit=0").await.problem().2, "limit");
}
