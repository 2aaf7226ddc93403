//! Refused requests: status, code and field path of the problem.
//!
//! Request fields are checked by the engine, so those tests have one. The tests of what comes before it (routes, bodies,
//! headers, admission) have a server without an engine, which answers `starting` to every request that passes.

use super::support::TestServer;
use axum::body::{Body, Bytes};
use axum::http::{Method, Request};
use serde_json::{Value, json};

const ID: &str = "01890a5d-ac96-774b-bcce-b30209900003";

fn turn(field: &str, value: Value) -> Value {
    let mut turn = json!({"role": "user", "text": "a"});
    turn[field] = value;
    json!({"scope": {"user_id": "u"}, "turns": [{"role": "user", "text": "first"}, turn]})
}

fn memory(field: &str, value: Value) -> Value {
    let mut memory = json!({"text": "a"});
    memory[field] = value;
    json!({"scope": {"user_id": "u"}, "memories": [memory]})
}

fn recall(field: &str, value: Value) -> Value {
    let mut recall = json!({"scope": {"user_id": "u"}, "query": "q"});
    recall[field] = value;
    recall
}

/// A request body, with the code and field path of its problem.
type Case = (Value, &'static str, &'static str);

async fn all_are_refused(path: &str, cases: Vec<Case>) {
    let server = TestServer::working().await;
    for (body, code, field) in cases {
        let (status, found, at) = server.post(path, &body).await.problem();
        let shown: String = body.to_string().chars().take(120).collect();
        assert_eq!((found.as_str(), at.as_str(), status), (code, field, 422), "{path} {shown}");
    }
}

fn repeated(item: &Value, count: usize) -> Value {
    Value::Array(vec![item.clone(); count])
}

#[tokio::test]
async fn an_invalid_turn_is_refused_with_the_path_of_its_field() {
    let names = repeated(&json!("x"), 65);
    let deep = (0..9).fold(json!(1), |inner, _| json!({"a": inner}));
    let cases = vec![
        (json!({"scope": {"user_id": "u"}, "turns": []}), "invalid_request", "turns"),
        (json!({"scope": {}, "turns": [{"role": "user", "text": "a"}]}), "invalid_request", "scope"),
        (json!({"turns": []}), "missing_field", "scope"),
        (turn("role", json!("robot")), "wrong_type", "turns[1].role"),
        (turn("text", json!(" \n\t ")), "invalid_request", "turns[1].text"),
        (turn("text", json!("x".repeat(1_048_577))), "over_limit", "turns[1].text"),
        (turn("colour", json!("red")), "unknown_field", "turns[1].colour"),
        (turn("said_at", json!("yesterday")), "invalid_request", "turns[1].said_at"),
        (turn("said_at", json!("2023-02-30T00:00:00Z")), "invalid_request", "turns[1].said_at"),
        (turn("said_at", json!("12023-05-20T00:00:00Z")), "invalid_request", "turns[1].said_at"),
        (turn("said_at", json!(1_684_549_260)), "wrong_type", "turns[1].said_at"),
        (turn("expires_at", json!("2023-13-01")), "invalid_request", "turns[1].expires_at"),
        (turn("importance", json!(1.5)), "invalid_request", "turns[1].importance"),
        (turn("importance", json!(-0.1)), "invalid_request", "turns[1].importance"),
        (turn("importance", json!(1e300)), "invalid_request", "turns[1].importance"),
        (turn("key", json!("")), "invalid_request", "turns[1].key"),
        (turn("author", json!("a\u{0}b")), "invalid_request", "turns[1].author"),
        (turn("place", json!("x".repeat(257))), "invalid_request", "turns[1].place"),
        (turn("tags", json!(["a", ""])), "invalid_request", "turns[1].tags[1]"),
        (turn("tags", names.clone()), "over_limit", "turns[1].tags"),
        (turn("participants", names), "over_limit", "turns[1].participants"),
        (turn("metadata", json!([])), "wrong_type", "turns[1].metadata"),
        (turn("metadata", deep), "invalid_request", "turns[1].metadata"),
        (turn("metadata", json!({"x": "y".repeat(20_000)})), "invalid_request", "turns[1].metadata"),
        (turn("vector", json!([1.0, 1e300])), "invalid_request", "turns[1].vector[1]"),
        (turn("vector", json!([0.0, 0.0])), "invalid_request", "turns[1].vector"),
        (turn("vector", json!([])), "invalid_request", "turns[1].vector"),
        (turn("vector", json!(vec![1.0; 4_097])), "over_limit", "turns[1].vector"),
    ];
    all_are_refused("/v1/turns", cases).await;
}

#[tokio::test]
async fn an_invalid_memory_is_refused_with_the_path_of_its_field() {
    let cases = vec![
        (memory("kind", json!("turn")), "invalid_request", "memories[0].kind"),
        (memory("kind", json!("document")), "invalid_request", "memories[0].document"),
        (memory("document", json!({"namespace": "n"})), "missing_field", "memories[0].document.key"),
        (
            memory("document", json!({"namespace": "", "key": "k"})),
            "invalid_request",
            "memories[0].document.namespace",
        ),
        (memory("sources", json!(["x"])), "wrong_type", "memories[0].sources[0]"),
        (memory("sources", repeated(&json!(ID), 257)), "over_limit", "memories[0].sources"),
        (memory("links", json!([{"relation": "a"}])), "missing_field", "memories[0].links[0].to"),
        (memory("links", json!([{"to": "x", "relation": "a"}])), "wrong_type", "memories[0].links[0].to"),
        (
            memory("links", json!([{"to": ID, "relation": ""}])),
            "invalid_request",
            "memories[0].links[0].relation",
        ),
        (
            memory("links", json!([{"to": ID, "relation": "a"}, {"to": ID, "relation": "b", "weight": 1.5}])),
            "invalid_request",
            "memories[0].links[1].weight",
        ),
        (
            memory("links", json!([{"to": ID, "relation": "a"}, {"to": ID, "relation": "a", "weight": 0.5}])),
            "invalid_request",
            "memories[0].links[1]",
        ),
        (
            memory("links", json!([{"to": ID, "relation": "a", "why": 1}])),
            "unknown_field",
            "memories[0].links[0].why",
        ),
        (
            memory("links", repeated(&json!({"to": ID, "relation": "a"}), 65)),
            "over_limit",
            "memories[0].links",
        ),
        (memory("happened_until", json!("2023-01-01")), "invalid_request", "memories[0].happened_at"),
        (
            json!({"scope": {"user_id": "u"}, "memories": [
                {"text": "a", "happened_at": "2023-01-02", "happened_until": "2023-01-01"}
            ]}),
            "invalid_request",
            "memories[0].happened_until",
        ),
        (
            json!({"scope": {"user_id": "u"}, "memories": [
                {"text": "a", "valid_from": "2023-01-02", "valid_to": "2023-01-01"}
            ]}),
            "invalid_request",
            "memories[0].valid_to",
        ),
        (
            json!({"scope": {"user_id": "u"}, "memories": [
                {"text": "a", "kind": "note", "document": {"namespace": "n", "key": "k"}}
            ]}),
            "invalid_request",
            "memories[0].document",
        ),
        (memory("visibility", json!("all")), "wrong_type", "memories[0].visibility"),
    ];
    all_are_refused("/v1/memories", cases).await;
}

#[tokio::test]
async fn an_invalid_recall_is_refused_with_the_path_of_its_field() {
    let many_tests = repeated(&json!({"field": "key", "eq": "x"}), 257);
    let cases = vec![
        (recall("query", json!("")), "invalid_request", "query"),
        (recall("query", json!("x".repeat(32_769))), "over_limit", "query"),
        (recall("limit", json!(0)), "invalid_request", "limit"),
        (recall("limit", json!(201)), "over_limit", "limit"),
        (recall("limit", json!(-1)), "wrong_type", "limit"),
        (recall("limit", json!(4_294_967_296_u64)), "wrong_type", "limit"),
        (recall("budget_tokens", json!(100_001)), "over_limit", "budget_tokens"),
        (recall("weights", json!({"lexical": 101})), "invalid_request", "weights.lexical"),
        (recall("weights", json!({"words": 1})), "unknown_field", "weights.words"),
        (recall("rerank_candidates", json!(0)), "invalid_request", "rerank_candidates"),
        (recall("deadline_ms", json!(60_001)), "over_limit", "deadline_ms"),
        (recall("now", json!("later")), "invalid_request", "now"),
        (recall("filter", json!({"field": "colour", "eq": 1})), "invalid_request", "filter.field"),
        (recall("filter", json!({"field": "version", "contains": "1"})), "invalid_request", "filter"),
        (recall("filter", json!({"or": many_tests})), "invalid_request", "filter"),
        (recall("scope", json!({})), "invalid_request", "scope"),
        (recall("vector", json!([1.0, 1e300])), "invalid_request", "vector[1]"),
    ];
    all_are_refused("/v1/recall", cases).await;
}

#[tokio::test]
async fn invalid_bodies_of_the_other_routes_are_refused() {
    let cases = [
        ("/v1/recall/why-not", json!({"memory_id": "x", "recall": {}}), "wrong_type", "memory_id"),
        (
            "/v1/recall/why-not",
            json!({"memory_id": ID, "recall": recall("limit", json!(0))}),
            "invalid_request",
            "recall.limit",
        ),
        (
            "/v1/recall/why-not",
            json!({"memory_id": ID, "recall": recall("now", json!("later"))}),
            "invalid_request",
            "recall.now",
        ),
        ("/v1/memories/list", json!({"scope": {"user_id": "u"}, "limit": 1_001}), "over_limit", "limit"),
        (
            "/v1/memories/list",
            json!({"scope": {"user_id": "u"}, "cursor": "next"}),
            "invalid_request",
            "cursor",
        ),
        ("/v1/memories/list", json!({"scope": {"user_id": "u"}, "order": "random"}), "wrong_type", "order"),
        ("/v1/memories/delete", json!({"scope": {"user_id": "u"}}), "missing_field", "filter"),
        ("/v1/admin/check", json!({"repair": "yes"}), "wrong_type", "repair"),
        ("/v1/admin/reindex", json!({}), "missing_field", "embedder"),
    ];
    for (path, body, code, field) in cases {
        all_are_refused(path, vec![(body, code, field)]).await;
    }
}

#[tokio::test]
async fn an_invalid_edit_is_refused_with_the_path_of_its_field() {
    let server = TestServer::working().await;
    let added = server.post("/v1/memories", &memory("tags", json!([]))).await.json();
    let path = format!("/v1/memories/{}", added["memory_ids"][0].as_str().expect("an id"));
    for (body, code, field) in [
        (json!({}), "invalid_request", "body"),
        (json!({"if_version": 3}), "invalid_request", "body"),
        (json!({"text": ""}), "invalid_request", "text"),
        (json!({"valid_from": "2024-01-01", "valid_to": "2023-01-01"}), "invalid_request", "valid_to"),
        (json!({"expires_at": "soon"}), "invalid_request", "expires_at"),
        (json!({"links": [{"to": ID, "relation": "a", "weight": -1}]}), "invalid_request", "links[0].weight"),
        (json!({"version": 2}), "unknown_field", "version"),
    ] {
        let (_, found, at) = server.json(Method::PATCH, &path, body.to_string()).await.problem();
        assert_eq!((found.as_str(), at.as_str()), (code, field), "{body}");
    }
    let cleared = server.json(Method::PATCH, &path, json!({"expires_at": null}).to_string()).await;
    assert_eq!(cleared.status, 200, "null is a change");
}

#[tokio::test]
async fn a_well_formed_request_waits_for_the_engine() {
    let server = TestServer::starting(&[]);
    for (path, body) in [
        ("/v1/turns", turn("said_at", json!("2023-05-20"))),
        ("/v1/memories", memory("document", json!({"namespace": "n", "key": "k"}))),
        ("/v1/recall", recall("limit", json!(200))),
        ("/v1/memories/list", json!({"scope": {"agent_id": "a"}})),
        ("/v1/memories/delete", json!({"scope": {"user_id": "u"}, "filter": {"and": []}})),
        ("/v1/admin/check", json!({})),
    ] {
        let answer = server.post(path, &body).await;
        assert_eq!(answer.problem(), (503, "starting".to_owned(), String::new()), "{path}");
        assert_eq!(answer.headers["retry-after"], "1");
    }
    assert_eq!(server.get("/ready").await.problem().1, "starting");
    let health = server.get("/health").await.json();
    let instance = health["instance"].as_str().expect("an id").parse::<uuid::Uuid>().expect("a UUID");
    assert_eq!(health, json!({"status": "ok", "instance": instance}));
    assert_eq!(server.get("/health").await.json(), health, "one id for a run");
    assert_ne!(TestServer::starting(&[]).get("/health").await.json(), health, "another one for another run");
}

#[tokio::test]
async fn oversized_and_malformed_bodies_are_refused() {
    let server = TestServer::working().await;
    let ten_megabytes = turn("text", json!("x".repeat(10_000_000)));
    assert_eq!(server.post("/v1/turns", &ten_megabytes).await.problem().1, "over_limit");

    let many =
        json!({"scope": {"user_id": "u"}, "turns": vec![json!({"role": "user", "text": "a"}); 10_000]});
    let (status, code, field) = server.post("/v1/turns", &many).await.problem();
    assert_eq!((status, code.as_str(), field.as_str()), (422, "over_limit", "turns"));

    let long = vec![json!({"role": "user", "text": "x".repeat(1_000_000)}); 9];
    let in_all = json!({"scope": {"user_id": "u"}, "turns": long});
    assert_eq!(server.post("/v1/turns", &in_all).await.problem().2, "turns");

    for (body, code) in [
        ("[".repeat(1_000_000), "wrong_type"),
        (
            format!("{{\"scope\":{{}},\"query\":\"q\",\"filter\":{}", "{\"not\":".repeat(1_000_000)),
            "malformed_json",
        ),
        (format!("{{\"scope\":{{\"user_id\":{}1", "[".repeat(200)), "wrong_type"),
        ("\u{feff}{}".to_owned(), "malformed_json"),
        ("null".to_owned(), "wrong_type"),
    ] {
        let answer = server.json(Method::POST, "/v1/recall", body.clone()).await;
        assert_eq!(answer.problem().1, code, "{body:.60}");
    }
    let not_utf8 = Bytes::from_static(b"{\"scope\":{\"user_id\":\"\xff\"}}");
    let answer = server.json(Method::POST, "/v1/recall", not_utf8).await;
    assert_eq!(answer.problem().0, 400);
}

#[tokio::test]
async fn bodies_over_the_limit_are_not_read() {
    let server = TestServer::starting(&[("ENGRAIN_LIMITS__BODY_BYTES", "1024")]);
    let (status, code, _) =
        server.post("/v1/recall", &recall("query", json!("x".repeat(2_000)))).await.problem();
    assert_eq!((status, code.as_str()), (413, "body_too_large"));
    let announced = Request::post("/v1/recall")
        .header("content-type", "application/json")
        .header("content-length", "99999999")
        .body(Body::from("{}"))
        .expect("a request");
    assert_eq!(server.send(announced).await.problem().1, "body_too_large");
}

#[tokio::test]
async fn a_body_that_never_arrives_times_out() {
    let server = TestServer::starting(&[("ENGRAIN_LIMITS__BODY_TIMEOUT_MS", "100")]);
    let never = Body::from_stream(futures::stream::pending::<Result<Bytes, std::io::Error>>());
    let refused = server.json(Method::POST, "/v1/recall", never).await.problem();
    assert_eq!((refused.0, refused.1.as_str()), (408, "body_timed_out"));
}

#[tokio::test]
async fn requests_over_the_concurrency_limit_are_refused() {
    let server = TestServer::working_with(&[("ENGRAIN_LIMITS__CONCURRENT_REQUESTS", "1")]).await;
    let held = server.begin(Request::get("/v1/export").body(Body::empty()).expect("a request")).await;
    assert_eq!(held.status(), 200);
    let refused = server.get("/v1/owners").await;
    assert_eq!(refused.problem(), (429, "busy".to_owned(), String::new()));
    assert_eq!(refused.headers["retry-after"], "1");
    assert_eq!(server.get("/health").await.status, 200, "a busy server is alive");
    drop(held);
    let released = async {
        while server.get("/v1/owners").await.status != 200 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), released).await.expect("the slot is released");
}

#[tokio::test]
async fn a_body_that_still_arrives_holds_no_slot() {
    let server = TestServer::starting(&[("ENGRAIN_LIMITS__CONCURRENT_REQUESTS", "1")]);
    let never = Body::from_stream(futures::stream::pending::<Result<Bytes, std::io::Error>>());
    let mut slow = std::pin::pin!(server.json(Method::POST, "/v1/recall", never));
    assert!(futures::poll!(&mut slow).is_pending());
    assert_eq!(server.get("/v1/owners").await.problem().1, "starting");
}

#[tokio::test]
async fn unknown_routes_methods_content_types_and_ids_are_refused() {
    let server = TestServer::starting(&[]);
    assert_eq!(server.get("/v2/turns").await.problem().1, "unknown_route");
    assert_eq!(server.get("/").await.problem().0, 404);
    let wrong_method = server.get("/v1/turns").await;
    assert_eq!(wrong_method.problem().1, "method_not_allowed");
    assert_eq!(wrong_method.headers["allow"], "POST");
    for content_type in [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("json")] {
        let mut request = Request::post("/v1/recall");
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        let answer = server.send(request.body(Body::from("{}")).expect("a request")).await;
        assert_eq!(answer.problem().0, 415, "{content_type:?}");
    }
    for path in
        ["/v1/memories/7", "/v1/memories/%ff", "/v1/memories/x/history", "/v1/sessions/x/turns", "/v1/jobs/-"]
    {
        let (status, code, field) = server.get(path).await.problem();
        assert_eq!((status, code.as_str(), field.as_str()), (422, "invalid_request", "id"), "{path}");
    }
}

#[tokio::test]
async fn invalid_query_strings_are_refused() {
    let server = TestServer::working().await;
    for (path, code, field) in [
        ("/v1/sessions", "invalid_request", "scope"),
        ("/v1/sessions?user_id=u&limit=x", "wrong_type", "limit"),
        ("/v1/sessions?user_id=u&limit=0", "invalid_request", "limit"),
        ("/v1/sessions?user_id=u&limit=1001", "over_limit", "limit"),
        ("/v1/sessions?user_id=u&page=2", "unknown_field", "page"),
        ("/v1/sessions?user_id=u&cursor=2", "invalid_request", "cursor"),
        ("/v1/sessions?user_id=", "invalid_request", "scope.user_id"),
        ("/v1/owners?cursor=p00000001", "invalid_request", "cursor"),
        ("/v1/export?user=u", "unknown_field", "user"),
    ] {
        let (_, found, at) = server.get(path).await.problem();
        assert_eq!((found.as_str(), at.as_str()), (code, field), "{path}");
    }
}

#[tokio::test]
async fn an_invalid_idempotency_key_is_refused() {
    let server = TestServer::starting(&[]);
    for key in ["", " ", &"x".repeat(257)] {
        let request = Request::post("/v1/turns")
            .header("content-type", "application/json")
            .header("idempotency-key", key)
            .body(Body::from(turn("text", json!("a")).to_string()))
            .expect("a request");
        assert_eq!(server.send(request).await.problem().2, "Idempotency-Key", "{key:?}");
    }
}

#[tokio::test]
async fn a_request_id_is_returned_and_an_invalid_one_is_replaced() {
    let server = TestServer::starting(&[]);
    let given =
        Request::get("/health").header("x-request-id", "trace-7").body(Body::empty()).expect("a request");
    assert_eq!(server.send(given).await.headers["x-request-id"], "trace-7");
    let odd = Request::get("/health").header("x-request-id", "a b").body(Body::empty()).expect("a request");
    let made = server.send(odd).await.headers["x-request-id"].to_str().expect("ASCII").to_owned();
    assert_eq!(made.len(), 36, "{made} is no UUID");
}
