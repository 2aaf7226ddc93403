//! Numbers from end to end: what a request gives is found, and erased, by exactly that number.

use serde_json::{Value, json};

use super::support::TestServer;

fn mara() -> Value {
    json!({"user_id": "mara"})
}

/// The texts that a filter finds, by when they were added.
async fn found(server: &TestServer, filter: Value) -> Vec<String> {
    let list = json!({"scope": mara(), "filter": filter, "order": "oldest_first"});
    let answer = server.post("/v1/memories/list", &list).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    let memories = answer.json()["memories"].as_array().expect("memories").clone();
    let mut texts: Vec<String> =
        memories.iter().map(|memory| memory["text"].as_str().expect("a text").to_owned()).collect();
    texts.sort();
    texts
}

#[tokio::test]
async fn an_erasure_by_a_number_takes_that_number_only() {
    let server = TestServer::working().await;
    // As text: what is sent must not depend on how this test's JSON library reads numbers.
    let added = r#"{"scope": {"user_id": "mara"}, "memories": [
        {"text": "a", "metadata": {"big": 1234567890123456788}},
        {"text": "b", "metadata": {"big": 1234567890123456789}},
        {"text": "c", "metadata": {"big": 18446744073709551615}},
        {"text": "d", "metadata": {"big": 1.0}},
        {"text": "e", "metadata": {"big": 1e308}}
    ]}"#;
    assert_eq!(server.json(axum::http::Method::POST, "/v1/memories", added).await.status, 201);
    let big = |test: &str| -> Value {
        serde_json::from_str(&format!(r#"{{"field": "metadata.big", {test}}}"#)).expect(test)
    };
    for (test, expected) in [
        (r#""eq": 1234567890123456789"#, &["b"][..]),
        (r#""eq": 1234567890123456787"#, &[]),
        (r#""in": [1234567890123456788, 3]"#, &["a"]),
        (r#""range": {"gt": 1234567890123456788, "lt": 1e300}"#, &["b", "c"]),
        (r#""range": {"gte": 1234567890123456789, "lte": 18446744073709551614}"#, &["b"]),
        (r#""eq": 1"#, &["d"]),
        (r#""range": {"gt": 18446744073709551615}"#, &["e"]),
    ] {
        assert_eq!(found(&server, big(test)).await, expected, "{test}");
    }

    let mut erasure = json!({"scope": mara(), "filter": big(r#""eq": 1234567890123456789"#)});
    let preview = server.post("/v1/memories/delete", &erasure).await.json();
    assert_eq!((&preview["matched"], &preview["sample"][0]["text"]), (&json!(1), &json!("b")));
    erasure["confirmation"] = preview["confirmation"].clone();
    let done = server.post("/v1/memories/delete", &erasure).await.json();
    assert_eq!((&done["done"], &done["erased"]), (&json!(true), &json!(1)));
    assert_eq!(found(&server, json!({"and": []})).await, ["a", "c", "d", "e"]);
    let kept = server
        .post("/v1/memories/list", &json!({"scope": mara(), "filter": big(r#""eq": 1234567890123456788"#)}))
        .await
        .json();
    assert_eq!(kept["memories"][0]["metadata"]["big"].to_string(), "1234567890123456788");
}

#[tokio::test]
async fn importance_is_found_by_the_number_that_was_given() {
    let server = TestServer::working().await;
    let given = [0.1, 0.3, 0.7, 0.9, 0.900_000_001];
    let memories: Vec<Value> =
        given.iter().map(|number| json!({"text": number.to_string(), "importance": number})).collect();
    let added = server.post("/v1/memories", &json!({"scope": mara(), "memories": memories})).await;
    assert_eq!(added.status, 201);
    for (at, number) in given.iter().enumerate() {
        let texts = |numbers: &[f64]| numbers.iter().map(f64::to_string).collect::<Vec<_>>();
        let importance = |test: &str, value: Value| json!({"field": "importance", test: value});
        assert_eq!(found(&server, importance("eq", json!(number))).await, texts(&[*number]));
        assert_eq!(found(&server, importance("in", json!([number]))).await, texts(&[*number]));
        assert_eq!(found(&server, importance("range", json!({"gte": number}))).await, texts(&given[at..]));
        assert_eq!(found(&server, importance("range", json!({"lte": number}))).await, texts(&given[..=at]));
        assert_eq!(found(&server, importance("range", json!({"gt": number}))).await, texts(&given[at + 1..]));
    }
    let edited = server
        .post("/v1/memories/list", &json!({"scope": mara(), "filter": {"field": "importance", "eq": 0.9}}))
        .await
        .json();
    assert_eq!(edited["memories"][0]["importance"].to_string(), "0.9");
}
