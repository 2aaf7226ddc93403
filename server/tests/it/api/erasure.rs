//! Erasure over the API: previews that cover what is derived, and owners that are erased as a whole.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::support::TestServer;

async fn posted(server: &TestServer, path: &str, body: &Value) -> Value {
    let answer = server.post(path, body).await;
    assert!(answer.status.is_success(), "{path}: {}", String::from_utf8_lossy(&answer.body));
    answer.json()
}

async fn remember(server: &TestServer, text: &str, tag: &str, sources: &[Value]) -> Value {
    let memory = json!({"text": text, "tags": [tag], "sources": sources});
    let request = json!({"scope": {"user_id": "ann"}, "memories": [memory]});
    posted(server, "/v1/memories", &request).await["memory_ids"][0].clone()
}

#[tokio::test]
async fn a_preview_of_one_does_not_erase_more_than_it_says() {
    let server = TestServer::working().await;
    let root = remember(&server, "root", "root", &[]).await;
    let mut request = json!({
        "scope": {"user_id": "ann"}, "filter": {"field": "tags", "contains": "root"}
    });
    let early = posted(&server, "/v1/memories/delete", &request).await;
    assert_eq!((&early["matched"], &early["with_derived"]), (&json!(1), &json!(1)));
    for number in 0..3 {
        remember(&server, &format!("derived {number}"), "made", std::slice::from_ref(&root)).await;
    }
    request["confirmation"] = early["confirmation"].clone();
    let stale = server.post("/v1/memories/delete", &request).await;
    assert_eq!(stale.problem().1, "confirmation_stale");
    request["confirmation"] = Value::Null;
    let preview = posted(&server, "/v1/memories/delete", &request).await;
    assert_eq!((&preview["matched"], &preview["with_derived"]), (&json!(1), &json!(4)));
    assert_eq!(preview["sample"].as_array().map(Vec::len), Some(4));
    request["confirmation"] = preview["confirmation"].clone();
    let done = posted(&server, "/v1/memories/delete", &request).await;
    assert_eq!((&done["matched"], &done["with_derived"], &done["erased"]), (&json!(1), &json!(4), &json!(4)));
}

#[tokio::test]
async fn an_owner_is_erased_after_a_preview() {
    let server = TestServer::working().await;
    remember(&server, "one", "a", &[]).await;
    let mut request = json!({"scope": {"user_id": "ann"}});
    let preview = posted(&server, "/v1/owners/delete", &request).await;
    assert_eq!((&preview["done"], &preview["memories"]), (&json!(false), &json!(1)));
    remember(&server, "two", "a", &[]).await;
    request["confirmation"] = preview["confirmation"].clone();
    let stale = server.post("/v1/owners/delete", &request).await;
    assert_eq!((stale.status, stale.problem().1.as_str()), (StatusCode::CONFLICT, "confirmation_stale"));
    let preview = posted(&server, "/v1/owners/delete", &json!({"scope": {"user_id": "ann"}})).await;
    request["confirmation"] = preview["confirmation"].clone();
    let done = posted(&server, "/v1/owners/delete", &request).await;
    assert_eq!((&done["done"], &done["memories"]), (&json!(true), &json!(2)));
    let job = done["job_id"].as_str().expect("a job").to_owned();
    assert_eq!(server.get("/v1/owners").await.json()["owners"], json!([]));
    let state = loop {
        let job = server.get(&format!("/v1/jobs/{job}")).await.json();
        if job["state"] != "waiting" && job["state"] != "running" {
            break job;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    assert_eq!(
        (&state["kind"], &state["state"], &state["done"]),
        (&json!("erase_owner"), &json!("done"), &json!(2))
    );
    let odd = server.post("/v1/owners/delete", &json!({"scope": {"user_id": "a", "run_id": "r"}})).await;
    assert_eq!(odd.problem(), (422, "invalid_request".to_owned(), "scope".to_owned()));
}

#[tokio::test]
async fn a_session_counts_the_turns_that_are_left() {
    let server = TestServer::working().await;
    let turns: Vec<Value> = (0..3).map(|n| json!({"role": "user", "text": format!("turn {n}")})).collect();
    let request = json!({"scope": {"user_id": "ann"}, "session": "s", "turns": turns});
    let added = posted(&server, "/v1/turns", &request).await;
    for id in &added["memory_ids"].as_array().expect("ids")[..2] {
        let path = format!("/v1/memories/{}", id.as_str().expect("an id"));
        assert!(server.json(Method::DELETE, &path, "").await.status.is_success());
    }
    let sessions = server.get("/v1/sessions?user_id=ann").await.json();
    assert_eq!(sessions["sessions"][0]["turns"], 1);
}

#[tokio::test]
async fn the_sample_of_a_preview_has_the_beginning_of_each_text() {
    let server = TestServer::working().await;
    let long = format!("x{}", "é".repeat(10_000));
    remember(&server, &long, "long", &[]).await;
    let request = json!({"scope": {"user_id": "ann"}, "filter": {"and": []}});
    let preview = posted(&server, "/v1/memories/delete", &request).await;
    let shown = preview["sample"][0]["text"].as_str().unwrap();
    assert_eq!(
        (shown.len(), long.starts_with(shown)),
        (499, true),
        "whole characters of the first 500 bytes"
    );
}
