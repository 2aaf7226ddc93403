//! Idempotency keys: their owners and operations, and the response to a repetition.

use axum::http::Method;
use serde_json::{Value, json};

use super::support::{Answer, TestServer};

fn fact(user: &str, text: &str) -> Value {
    json!({"scope": {"user_id": user}, "memories": [{"text": text}]})
}

fn said(user: &str, text: &str) -> Value {
    json!({"scope": {"user_id": user}, "session": "s", "turns": [{"role": "user", "text": text}]})
}

async fn keyed(server: &TestServer, path: &str, body: &Value) -> Answer {
    server.keyed(Method::POST, path, "msg-1", body).await
}

async fn total(server: &TestServer, user: &str) -> Value {
    let list = json!({"scope": {"user_id": user}});
    server.post("/v1/memories/list", &list).await.json()["total"].clone()
}

#[tokio::test]
async fn the_key_of_one_owner_is_not_the_key_of_another() {
    let server = TestServer::working().await;
    for user in ["ann", "ben"] {
        let first = keyed(&server, "/v1/memories", &fact(user, "likes tea")).await;
        assert_eq!((first.status.as_u16(), &first.json()["repeated"]), (201, &json!(false)));
        let again = keyed(&server, "/v1/memories", &fact(user, "likes tea")).await;
        assert_eq!((again.status.as_u16(), &again.json()["repeated"]), (200, &json!(true)));
        assert_eq!(first.json()["memory_ids"], again.json()["memory_ids"]);
        let other = keyed(&server, "/v1/memories", &fact(user, "likes coffee")).await.problem();
        assert_eq!((other.0, other.1.as_str()), (422, "idempotency_key_reused"));
    }
    assert_eq!((total(&server, "ann").await, total(&server, "ben").await), (json!(1), json!(1)));
}

#[tokio::test]
async fn one_key_serves_each_operation_once() {
    let server = TestServer::working().await;
    let added = keyed(&server, "/v1/memories", &fact("ann", "likes tea")).await;
    assert_eq!(added.status, 201);
    assert_eq!(keyed(&server, "/v1/turns", &said("ann", "hello")).await.status, 201);
    assert_eq!(total(&server, "ann").await, 2);
    let path = format!("/v1/memories/{}", added.json()["memory_ids"][0].as_str().expect("an id"));
    let edit = json!({"text": "likes coffee"});
    for _ in 0..2 {
        let edited = server.keyed(Method::PATCH, &path, "msg-1", &edit).await.json();
        assert_eq!((&edited["version"], &edited["text"]), (&json!(2), &json!("likes coffee")));
    }
    let other = server.keyed(Method::PATCH, &path, "msg-1", &json!({"text": "likes rum"})).await;
    assert_eq!(other.problem().1, "idempotency_key_reused");

    let mut sweep = json!({"scope": {"user_id": "ann"}, "filter": {"field": "kind", "eq": "turn"}});
    sweep["confirmation"] = server.post("/v1/memories/delete", &sweep).await.json()["confirmation"].clone();
    for _ in 0..2 {
        let swept = keyed(&server, "/v1/memories/delete", &sweep).await.json();
        assert_eq!((&swept["done"], &swept["erased"]), (&json!(true), &json!(1)));
    }
    for _ in 0..2 {
        let erased = server.keyed(Method::DELETE, &path, "msg-1", &Value::Null).await;
        assert_eq!(
            (erased.status.as_u16(), &erased.json()["memory_ids"]),
            (200, &added.json()["memory_ids"])
        );
    }
    assert_eq!(total(&server, "ann").await, 0);
    assert_eq!(server.keyed(Method::DELETE, &path, "msg-2", &Value::Null).await.problem().0, 404);
    // The record of an addition goes with what it made (ADR 0030): its repetition is a new request.
    assert_eq!(keyed(&server, "/v1/turns", &said("ann", "hello")).await.json()["repeated"], false);
}
