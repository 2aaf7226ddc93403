//! Background jobs over the API: list, show, cancel, and the one change of embedder at a time.

use axum::http::Method;
use serde_json::{Value, json};

use super::support::TestServer;

async fn reindex(server: &TestServer, embedder: &str) -> Value {
    let answer = server.post("/v1/admin/reindex", &json!({"embedder": embedder})).await;
    assert_eq!(answer.status.as_u16(), 202);
    answer.json()
}

async fn cancel(server: &TestServer, job: &Value) -> Value {
    let path = format!("/v1/jobs/{}/cancel", job["id"].as_str().expect("an id"));
    server.json(Method::POST, &path, "").await.json()
}

async fn listed(server: &TestServer, query: &str) -> Vec<Value> {
    let page = server.get(&format!("/v1/jobs{query}")).await.json();
    page["jobs"].as_array().expect("jobs").iter().map(|job| job["id"].clone()).collect()
}

#[tokio::test]
async fn jobs_are_listed_shown_and_cancelled() {
    let server = TestServer::working().await;
    server.stop_jobs().await;
    let first = reindex(&server, "hashing").await;
    assert_eq!((&first["state"], &first["attempts"]), (&json!("waiting"), &json!(0)));
    assert_eq!(cancel(&server, &first).await["state"], "cancelled");
    let second = reindex(&server, "hashing-96").await;
    assert_eq!(listed(&server, "").await, [second["id"].clone(), first["id"].clone()]);
    assert_eq!(listed(&server, "?state=waiting&kind=reindex").await, [second["id"].clone()]);
    assert_eq!(listed(&server, "?kind=another").await, Vec::<Value>::new());
    let page = server.get("/v1/jobs?limit=1").await.json();
    let cursor = page["next_cursor"].as_str().expect("there is more");
    let rest = server.get(&format!("/v1/jobs?limit=1&cursor={cursor}")).await.json();
    assert_eq!((&rest["jobs"][0], &rest["next_cursor"]), (&cancel(&server, &first).await, &Value::Null));
}

#[tokio::test]
async fn another_embedder_is_a_conflict_and_the_same_one_the_same_job() {
    let server = TestServer::working().await;
    server.stop_jobs().await;
    let job = reindex(&server, "hashing-96").await;
    assert_eq!(reindex(&server, "hashing-96").await, job);
    let refused = server.post("/v1/admin/reindex", &json!({"embedder": "hashing"})).await;
    assert_eq!(refused.problem(), (409, "reindex_in_progress".to_owned(), String::new()));
    let unknown = server.post("/v1/admin/reindex", &json!({"embedder": "nothing"})).await;
    assert_eq!(unknown.problem(), (422, "invalid_request".to_owned(), "embedder".to_owned()));
}

#[tokio::test]
async fn bad_queries_and_unknown_jobs_are_refused() {
    let server = TestServer::working().await;
    for (query, field) in [("state=lazy", "state"), ("limit=0", "limit"), ("cursor=m1", "cursor")] {
        let (status, _, found) = server.get(&format!("/v1/jobs?{query}")).await.problem();
        assert_eq!((status, found.as_str()), (422, field), "{query}");
    }
    let path = "/v1/jobs/01890a5d-ac96-774b-bcce-b30209900003/cancel";
    assert_eq!(server.json(Method::POST, path, "").await.problem().1, "not_found");
}

#[tokio::test]
async fn readiness_tells_whether_jobs_are_worked_on() {
    let server = TestServer::working().await;
    assert_eq!(server.get("/ready").await.json()["jobs_running"], true);
    server.stop_jobs().await;
    assert_eq!(server.get("/ready").await.json()["jobs_running"], false);
    assert_eq!(server.get("/health").await.json()["jobs_running"], Value::Null);
}
