//! Forgetting over HTTP: what a policy must have, and what a refusal says.

use axum::http::Method;
use serde_json::{Value, json};

use super::support::TestServer;

const POLICY: &str = "/v1/forgetting/policy";

fn mara() -> Value {
    json!({"user_id": "mara"})
}

async fn put(server: &TestServer, body: &Value) -> Value {
    server.json(Method::PUT, POLICY, body.to_string()).await.json()
}

async fn shown(server: &TestServer) -> Value {
    server.get("/v1/forgetting/policy?user_id=mara").await.json()
}

#[tokio::test]
async fn a_policy_is_reset_by_null_and_not_by_a_request_without_one() {
    let server = TestServer::working().await;
    let own = put(&server, &json!({"scope": mara(), "policy": {"effect": "demote"}})).await;
    assert_eq!((&own["policy"]["effect"], &own["is_default"]), (&json!("demote"), &json!(false)));
    let without = json!({"scope": mara()}).to_string();
    let refused = server.json(Method::PUT, POLICY, without).await.problem();
    assert_eq!(refused, (422, "missing_field".to_owned(), "policy".to_owned()));
    assert_eq!(shown(&server).await, own);
    let reset = put(&server, &json!({"scope": mara(), "policy": null})).await;
    assert_eq!((&reset["is_default"], &shown(&server).await), (&json!(true), &reset));
}

#[tokio::test]
async fn a_refused_policy_names_its_field_says_what_it_must_be_and_changes_nothing() {
    let server = TestServer::working().await;
    let own = put(&server, &json!({"scope": mara(), "policy": {"effect": "demote"}})).await;
    for (policy, field, detail) in [
        (json!([]), "policy", "must be an object"),
        (json!({"effect": "hide"}), "policy.effect", "must be one of none, demote, exclude, cold, delete"),
        (json!({"weight": "x"}), "policy.weight", "must be a number"),
        (json!({"weight": 101}), "policy.weight", "must be 0 to 100"),
        (json!({"grace_days": "x"}), "policy.grace_days", "must be a whole number"),
        (json!({"grace_days": 36_501}), "policy.grace_days", "must be at most 36500"),
        (json!({"initial_strengths": 7}), "policy.initial_strengths", "must be an object"),
        (json!({"initial_strengths": {"turn": 0}}), "policy.initial_strengths.turn", "must be 0.01 to 10000"),
        (json!({"quota_memories": 10}), "policy.quota_memories", "needs an effect other than none"),
        (json!({"quota_memories": 0, "effect": "demote"}), "policy.quota_memories", "must be at least 1"),
        (json!({"surprise_midpoint": 1}), "policy.surprise_midpoint", "must be 0 to 0.99"),
        (
            json!({"counts_from": "contradicted"}),
            "policy.counts_from",
            "must be one of returned, in_context, cited, confirmed",
        ),
    ] {
        let refused = put(&server, &json!({"scope": mara(), "policy": policy})).await;
        assert_eq!((&refused["field"], &refused["detail"]), (&json!(field), &json!(detail)), "{policy}");
    }
    assert_eq!(shown(&server).await, own);
}

#[tokio::test]
async fn refusals_of_other_requests_on_forgetting_say_what_a_value_must_be() {
    let server = TestServer::working().await;
    let memories = json!([{"text": "Mara is allergic to peanuts."}]);
    let added = server.post("/v1/memories", &json!({"scope": mara(), "memories": memories})).await.json();
    let id = added["memory_ids"][0].as_str().expect("an id").to_owned();
    for (path, field, detail) in [
        (format!("/v1/memories/{id}/retention?points=x"), "points", "must be a whole number of at least 0"),
        (format!("/v1/memories/{id}/retention?from=2026-02-02&to=2026-02-01"), "to", "must be after `from`"),
        (
            "/v1/fading?user_id=mara&within_days=x".to_owned(),
            "within_days",
            "must be a whole number of at least 0",
        ),
        ("/v1/fading?user_id=mara&within_days=0".to_owned(), "within_days", "must be 1 to 36500"),
    ] {
        let refused = server.get(&path).await.json();
        assert_eq!((&refused["field"], &refused["detail"]), (&json!(field), &json!(detail)), "{path}");
    }
    let restore = json!({"scope": mara(), "memory_ids": [id, "x"]});
    let refused = server.post("/v1/forgetting/restore", &restore).await.json();
    assert_eq!((&refused["field"], &refused["detail"]), (&json!("memory_ids[1]"), &json!("must be a UUID")));
    let recall = json!({"scope": mara(), "query": "peanuts", "forgetting_curve": "fsrs7"});
    let refused = server.post("/v1/recall", &recall).await.json();
    assert_eq!(refused["field"], "forgetting_curve");
    let names = refused["detail"].as_str().expect("a detail");
    assert!(names.starts_with("must be one of none, memorybank.paper") && names.contains("fsrs6"), "{names}");
}
