//! Settings of an owner in `POST /v1/import`: they are checked before anything is written, and absent ones change nothing.

use axum::http::Method;
use memory_core::store::Maintenance as _;
use memory_core::store::sql::{SqlStore, StoreOptions};
use serde_json::{Value, json};

use super::support::TestServer;

const MOMENT: &str = "2023-05-20T02:21:00Z";

fn mara() -> Value {
    json!({"user_id": "mara"})
}

/// Import of a fact, with this policy.
fn import(policy: Option<Value>) -> Value {
    let mut request = json!({"scope": mara(), "records": [{
        "memory": {
            "id": "01890a5d-ac96-774b-bcce-b30209900003", "version": 1, "kind": "fact", "text": "Mara lives in Lisbon.",
            "tokens": 6, "visibility": "owner", "happened_at": MOMENT, "recorded_at": MOMENT, "created_at": MOMENT,
            "importance": 0.5
        },
    }]});
    if let Some(policy) = policy {
        request["forgetting"] = policy;
    }
    request
}

async fn policy(server: &TestServer) -> Value {
    server.get("/v1/forgetting/policy?user_id=mara").await.json()
}

#[tokio::test]
async fn an_import_gives_the_owner_the_forgetting_policy_that_it_names() {
    let server = TestServer::working().await;
    let named = json!({"effect": "exclude", "quota_memories": 7, "curve": "wixted", "weight": 0.5});
    assert_eq!(server.post("/v1/import", &import(Some(named))).await.status, 200);
    let state = policy(&server).await;
    assert_eq!(state["is_default"], false);
    let shown = ["effect", "quota_memories", "curve", "weight"].map(|field| state["policy"][field].clone());
    assert_eq!(shown, [json!("exclude"), json!(7), json!("wixted"), json!(0.5)]);
}

#[tokio::test]
async fn an_import_without_a_forgetting_policy_leaves_that_of_the_owner() {
    let server = TestServer::working().await;
    assert_eq!(server.post("/v1/import", &import(None)).await.status, 200);
    assert_eq!(policy(&server).await["is_default"], true);
    let set = json!({"scope": mara(), "policy": {"effect": "demote", "grace_days": 9}}).to_string();
    let state = server.json(Method::PUT, "/v1/forgetting/policy", set).await.json();
    assert_eq!(server.post("/v1/import", &import(None)).await.status, 200);
    assert_eq!(policy(&server).await, state);
}

#[tokio::test]
async fn an_import_with_a_forgetting_policy_that_is_refused_changes_nothing() {
    let server = TestServer::working().await;
    for (named, code, field) in [
        (json!({"importance_gain": 0.0}), "invalid_request", "forgetting.importance_gain"),
        (json!({"effect": "exclude", "quota_memories": 0}), "invalid_request", "forgetting.quota_memories"),
        (json!({"effect": "burn"}), "invalid_request", "forgetting.effect"),
        (json!({"rule": "of tomorrow"}), "invalid_request", "forgetting.rule"),
        (json!({"half_life_of_tomorrow": 3}), "unknown_field", "forgetting.half_life_of_tomorrow"),
    ] {
        let refused = server.post("/v1/import", &import(Some(named))).await.problem();
        assert_eq!(refused, (422, code.to_owned(), field.to_owned()));
    }
    assert_eq!(policy(&server).await["is_default"], true);
    let list = server.post("/v1/memories/list", &json!({"scope": mara()})).await.json();
    assert_eq!(list["total"], 0, "{list}");
}

#[tokio::test]
async fn an_import_with_a_last_check_in_the_future_changes_nothing() {
    let server = TestServer::working().await;
    for (named, code) in [("2999-01-01T00:00:00Z", "invalid_request"), ("of yesterday", "invalid_request")] {
        let mut request = import(Some(json!({"rule": "conditional_draw", "effect": "exclude"})));
        request["forgetting_checked_at"] = json!(named);
        let refused = server.post("/v1/import", &request).await.problem();
        assert_eq!(refused, (422, code.to_owned(), "forgetting_checked_at".to_owned()));
    }
    assert_eq!(policy(&server).await["is_default"], true);
    let list = server.post("/v1/memories/list", &json!({"scope": mara()})).await.json();
    assert_eq!(list["total"], 0, "{list}");
}

/// More owners cannot have a setting of their own.
const OWNERS_WITH_SETTINGS_AT_MOST: usize = 10_000;

#[tokio::test]
async fn an_import_with_a_setting_that_too_many_owners_have_changes_nothing() {
    for (setting, field, stored, given) in [
        ("owner.forgetting", "forgetting", json!({"policy": "{}"}), json!({"effect": "exclude"})),
        ("owner.zones", "timezone", json!({"zone": "Asia/Shanghai"}), json!("Europe/Lisbon")),
        ("thinking.profiles", "thinking", json!({"profile": "off"}), json!("off")),
    ] {
        let directory = tempfile::tempdir().expect("a directory");
        let entry = |number: usize| {
            let mut entry = stored.clone();
            entry["tenant"] = json!(uuid::Uuid::nil());
            entry["owner_kind"] = json!("user");
            entry["owner_id"] = json!(format!("user-{number}"));
            entry
        };
        let entries: Vec<Value> = (0..OWNERS_WITH_SETTINGS_AT_MOST).map(entry).collect();
        let store = SqlStore::open(directory.path(), StoreOptions::default()).await.expect("a store");
        store.put_setting(setting, &json!(entries).to_string()).await.expect("a setting");
        store.close().await;
        drop(store);
        let server = TestServer::working_in(directory, &[]).await;
        let mut request = import(None);
        request[field] = given;
        let refused = server.post("/v1/import", &request).await.problem();
        assert_eq!(refused, (422, "over_limit".to_owned(), field.to_owned()));
        let list = server.post("/v1/memories/list", &json!({"scope": mara()})).await.json();
        assert_eq!(list["total"], 0, "{field}: {list}");
        request["scope"] = json!({"user_id": "user-7"});
        assert_eq!(server.post("/v1/import", &request).await.status, 200, "{field}: one that has it already");
    }
}
