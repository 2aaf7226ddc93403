//! Uses of memories over HTTP: shapes of answers, and what is refused.

use serde_json::{Value, json};

use super::support::TestServer;

/// A server with one fact, its id, and the id of a recall of it.
async fn recalled() -> (TestServer, String, String) {
    let server = TestServer::working().await;
    let fact = json!({"text": "Mara is allergic to peanuts.", "importance": 0.9});
    let added = server.post("/v1/memories", &json!({"scope": mara(), "memories": [fact]})).await.json();
    let id = added["memory_ids"][0].as_str().expect("an id").to_owned();
    let recall = server.post("/v1/recall", &json!({"scope": mara(), "query": "peanuts"})).await.json();
    let recall = recall["recall_id"].as_str().expect("an id").to_owned();
    (server, id, recall)
}

fn mara() -> Value {
    json!({"user_id": "mara"})
}

#[tokio::test]
async fn a_recall_and_its_feedback_have_these_shapes() {
    let (server, id, recall) = recalled().await;
    let mut logged = server.get(&format!("/v1/recalls/{recall}?user_id=mara")).await.json();
    let score = logged["hits"][0]["score"].take();
    assert!(score.as_f64().is_some_and(|score| score > 0.0));
    let hit = json!({"memory_id": id, "score": null, "outcome": "in_context"});
    assert_eq!(logged, json!({"recall_id": recall, "recalled_at": "2024-03-01T12:00:00Z", "hits": [hit]}));
    let path = format!("/v1/recalls/{recall}/feedback");
    let given = server.post(&path, &json!({"scope": mara(), "confirmed": [id], "used": null})).await.json();
    assert_eq!(given["hits"][0]["outcome"], "confirmed");
    let cases = [
        (json!({"scope": mara(), "used": [uuid::Uuid::nil()]}), (422, "invalid_request", "used[0]")),
        (
            json!({"scope": mara(), "confirmed": [id], "contradicted": [id]}),
            (422, "invalid_request", "contradicted[0]"),
        ),
        (json!({"scope": mara(), "cited": [id]}), (422, "unknown_field", "cited")),
        (json!({"scope": {"user_id": "bob"}, "used": [id]}), (404, "not_found", "")),
        (json!({"scope": {}, "used": [id]}), (422, "invalid_request", "scope")),
    ];
    for (body, (status, code, field)) in cases {
        let problem = server.post(&path, &body).await.problem();
        assert_eq!(problem, (status, code.to_owned(), field.to_owned()), "{body}");
    }
    let unknown = format!("/v1/recalls/{}?user_id=mara", uuid::Uuid::nil());
    assert_eq!(server.get(&unknown).await.problem().0, 404);
}

#[tokio::test]
async fn the_curve_of_a_memory_has_this_shape() {
    let (server, id, _) = recalled().await;
    server.test_engine().settle().await;
    let path = format!("/v1/memories/{id}/retention");
    let query = "now=2024-03-02T12:00:00Z&to=2024-03-03T12:00:00Z&points=2";
    let mut found = server.get(&format!("{path}?{query}")).await.json();
    for (field, least) in [("threshold", 0.0), ("retention", 0.5)] {
        assert!(found[field].take().as_f64().is_some_and(|value| value > least && value < 1.0), "{field}");
    }
    assert!(found["fades_at"].take().as_str().is_some_and(|at| at > "2024-03-01T12:00:00Z"));
    let end = found["points"][1]["retention"].take();
    assert!(end.as_f64().is_some_and(|end| end > 0.3 && end < 0.5), "{end}");
    let start = "2024-03-01T12:00:00Z";
    let expected = json!({
        "memory_id": id, "curve": "memorybank.paper", "now": "2024-03-02T12:00:00Z", "retention": null,
        "strength": 2.0, "refreshed_at": start, "threshold": null, "fades_at": null, "pinned": false,
        "importance": 0.9, "learned_at": start, "earlier_uses": 0, "uses": [{"at": start, "kind": "in_context"}],
        "points": [{"at": start, "retention": 1.0}, {"at": "2024-03-03T12:00:00Z", "retention": null}]
    });
    assert_eq!(found, expected);
    let never = server.get(&format!("{path}?curve=none")).await.json();
    assert_eq!((&never["fades_at"], &never["retention"]), (&Value::Null, &json!(1.0)));
    let cases = [
        ("curve=ebbinghaus", "curve"),
        ("points=1", "points"),
        ("from=2024-03-05&to=2024-03-04", "to"),
        ("now=soon", "now"),
    ];
    for (query, field) in cases {
        let (status, _, found) = server.get(&format!("{path}?{query}")).await.problem();
        assert_eq!((status, found.as_str()), (422, field), "{query}");
    }
}

#[tokio::test]
async fn fading_memories_have_this_shape() {
    let (server, id, _) = recalled().await;
    server.test_engine().settle().await;
    let mut found = server.get("/v1/fading?user_id=mara&within_days=3650").await.json();
    let one = &mut found["memories"][0];
    let fades = one["fades_at"].take();
    assert!(fades.as_str().is_some_and(|at| at > "2024-03-01T12:00:00Z"), "{fades}");
    let start = "2024-03-01T12:00:00Z";
    let memory = json!({
        "memory_id": id, "kind": "fact", "fades_at": null, "retention": 1.0, "strength": 2.0, "importance": 0.9,
        "uses": 1, "excerpt": "Mara is allergic to peanuts."
    });
    let expected = json!({
        "curve": "memorybank.paper", "now": start, "until": "2034-02-27T12:00:00Z", "total": 1, "memories": [memory]
    });
    assert_eq!(found, expected);
    for query in ["", "user_id=mara&within_days=0", "user_id=mara&limit=0", "user_id=mara&days=7"] {
        assert_eq!(server.get(&format!("/v1/fading?{query}")).await.problem().0, 422, "{query}");
    }
}

#[tokio::test]
async fn a_recall_says_whether_it_is_a_use() {
    let (server, id, _) = recalled().await;
    let path = format!("/v1/memories/{id}/retention");
    let recall = |fields: Value| {
        let mut body = json!({"scope": mara(), "query": "peanuts"});
        body.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
        body
    };
    server.post("/v1/recall", &recall(json!({"now": "2024-04-01T00:00:00Z"}))).await;
    server.post("/v1/recall", &recall(json!({"now": "2024-02-01T00:00:00Z", "reinforce": true}))).await;
    server.test_engine().settle().await;
    let uses = server.get(&path).await.json()["uses"].clone();
    let expected = json!([
        {"at": "2024-02-01T00:00:00Z", "kind": "in_context"}, {"at": "2024-03-01T12:00:00Z", "kind": "in_context"}
    ]);
    assert_eq!(uses, expected);
    assert_eq!(server.post("/v1/recall", &recall(json!({"reinforce": 1}))).await.problem().0, 422);
    let ahead = recall(json!({"now": "2024-05-01T00:00:00Z", "reinforce": true}));
    let (status, _, field) = server.post("/v1/recall", &ahead).await.problem();
    assert_eq!((status, field.as_str()), (422, "now"));
}
