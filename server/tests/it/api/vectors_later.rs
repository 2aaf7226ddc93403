//! Large texts over the API: taken at once, and complete a little later.

use serde_json::{Value, json};

use super::support::TestServer;

/// A text larger than a request embeds: 150 KB.
fn large() -> String {
    (0..15_000).map(|number| format!("word{number} ")).collect()
}

async fn posted(server: &TestServer, path: &str, body: &Value) -> Value {
    let answer = server.post(path, body).await;
    assert!(answer.status.is_success(), "{path}: {}", String::from_utf8_lossy(&answer.body));
    answer.json()
}

#[tokio::test]
async fn the_answer_to_a_large_text_says_that_its_words_alone_find_it_yet() {
    let server = TestServer::working().await;
    server.stop_jobs().await;
    let scope = json!({"user_id": "ann"});
    let small = json!({"scope": scope, "memories": [{"text": "a small one"}]});
    let added = posted(&server, "/v1/memories", &small).await;
    assert_eq!((&added["indexing"], added.get("memories_without_vectors")), (&json!("complete"), None));
    let memories = json!({"scope": scope, "memories": [{"text": large()}, {"text": "another"}]});
    let added = posted(&server, "/v1/memories", &memories).await;
    assert_eq!((&added["indexing"], &added["memories_without_vectors"]), (&json!("lexical"), &json!(2)));
    let ready = server.get("/ready").await.json();
    assert_eq!(ready["status"], "ok");
    assert!(ready["rows_without_vectors"].as_u64().is_some_and(|rows| rows > 2), "{ready}");
    let found = posted(&server, "/v1/recall", &json!({"scope": scope, "query": "word14999"})).await;
    assert_eq!(found["memories"][0]["id"], added["memory_ids"][0]);
}

#[tokio::test]
async fn a_request_that_waits_is_answered_with_its_vectors_made() {
    let server = TestServer::working().await;
    let turns = json!({
        "scope": {"user_id": "ann"}, "turns": [{"role": "user", "text": large()}], "wait": true
    });
    let added = posted(&server, "/v1/turns", &turns).await;
    assert_eq!(added["indexing"], "complete");
    let memories = json!({"scope": {"user_id": "ann"}, "memories": [{"text": large()}], "wait": true});
    let added = posted(&server, "/v1/memories", &memories).await;
    assert_eq!((&added["indexing"], added.get("memories_without_vectors")), (&json!("complete"), None));
    assert_eq!(server.get("/ready").await.json()["rows_without_vectors"], 0);
}
