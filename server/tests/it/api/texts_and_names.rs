//! Texts, names and times at the edge of the API: what is empty, what is the same name, what `null` means.

use serde_json::{Value, json};

use super::support::TestServer;

async fn add(server: &TestServer, memory: Value) -> (u16, String) {
    let body = json!({"scope": {"user_id": "ann"}, "memories": [memory]});
    let answer = server.post("/v1/memories", &body).await;
    if answer.status == 201 { (201, String::new()) } else { (answer.status.as_u16(), answer.problem().2) }
}

#[tokio::test]
async fn null_for_an_optional_field_is_its_absence() {
    let server = TestServer::working().await;
    let mut fields = json!({"text": "a"});
    for field in [
        "kind",
        "document",
        "subjects",
        "audience",
        "statement",
        "tags",
        "links",
        "metadata",
        "sources",
        "happened_at",
        "valid_from",
        "valid_to",
        "expires_at",
        "importance",
        "visibility",
        "vector",
    ] {
        fields[field] = Value::Null;
        let one = json!({"text": "a", field: null});
        assert_eq!(add(&server, one).await, (201, String::new()), "{field}");
    }
    assert_eq!(add(&server, fields).await.0, 201);
    let statement = json!({"subject": "user", "object": "tea", "confidence": null, "said_by": null});
    assert_eq!(add(&server, json!({"text": "a", "statement": statement})).await, (201, String::new()));
    let others =
        json!({"scope": {"user_id": "ann"}, "memories": [{"text": "b"}], "again": null, "wait": null});
    let first = server.post("/v1/memories", &others).await.json();
    let link = json!({"to": first["memory_ids"][0], "relation": "follows", "weight": null});
    assert_eq!(add(&server, json!({"text": "a", "links": [link]})).await, (201, String::new()));
    let turn = json!({"role": "user", "text": "a", "key": null, "author": null, "said_at": null, "participants": null,
        "place": null, "audience": null, "tags": null, "metadata": null, "importance": null, "expires_at": null,
        "vector": null});
    let turns = json!({"scope": {"user_id": "ann", "agent_id": null}, "session": null, "visibility": null, "wait": null,
        "again": null, "turns": [turn]});
    assert_eq!(server.post("/v1/turns", &turns).await.status, 201);
    let recall = json!({"scope": {"user_id": "ann"}, "query": "a", "limit": null, "filter": null, "as_of": null,
        "include_superseded": null, "weights": null, "now": null, "max_text_bytes": null});
    assert_eq!(server.post("/v1/recall", &recall).await.status, 200);
    let without_text = json!({"role": "user", "text": null});
    let refused =
        server.post("/v1/turns", &json!({"scope": {"user_id": "ann"}, "turns": [without_text]})).await;
    assert_eq!(refused.problem(), (422, "wrong_type".to_owned(), "turns[0].text".to_owned()));
}

#[tokio::test]
async fn a_query_or_a_filter_with_a_nul_finds_nothing() {
    let server = TestServer::working().await;
    assert_eq!(add(&server, json!({"text": "a"})).await.0, 201);
    let scope = json!({"user_id": "ann"});
    for path in ["/v1/recall", "/v1/thoughts/recall", "/v1/notes/recall"] {
        let answer = server.post(path, &json!({"scope": scope, "query": "a\u{0}"})).await;
        assert_eq!(answer.status, 200, "{path}");
    }
    for (field, test) in [("tags", "eq"), ("session", "contains"), ("metadata.a\u{0}", "eq")] {
        let filter = json!({"field": field, test: "a\u{0}"});
        let answer = server.post("/v1/memories/list", &json!({"scope": scope, "filter": filter})).await;
        assert_eq!((answer.status.as_u16(), answer.json()["total"].clone()), (200, json!(0)), "{field}");
    }
    let jobs = server.get("/v1/jobs?kind=%00").await;
    assert_eq!((jobs.status.as_u16(), jobs.json()["jobs"].clone()), (200, json!([])));
}

#[tokio::test]
async fn a_text_needs_a_visible_character_and_no_nul() {
    let server = TestServer::working().await;
    for text in ["\u{200b}\u{200d}", "\u{feff}", " \u{2060}\n", "\u{3164}", "a\u{0}b"] {
        assert_eq!(
            add(&server, json!({"text": text})).await,
            (422, "memories[0].text".to_owned()),
            "{text:?}"
        );
        let turns = json!({"scope": {"user_id": "ann"}, "turns": [{"role": "user", "text": text}]});
        let (status, _, field) = server.post("/v1/turns", &turns).await.problem();
        assert_eq!((status, field.as_str()), (422, "turns[0].text"), "{text:?}");
    }
    for query in ["\u{200b}", " "] {
        let recall = json!({"scope": {"user_id": "ann"}, "query": query});
        assert_eq!(server.post("/v1/recall", &recall).await.problem().2, "query");
    }
    let metadata = json!({"text": "a", "metadata": {"x": ["\u{0}"]}});
    assert_eq!(add(&server, metadata).await, (422, "memories[0].metadata".to_owned()));
    assert_eq!(add(&server, json!({"text": "👩\u{200d}👧"})).await.0, 201);
}

#[tokio::test]
async fn two_encodings_of_a_name_are_one_user_one_tag_and_one_session() {
    let server = TestServer::working().await;
    let (composed, decomposed) = ("Ren\u{e9}", "Rene\u{301}");
    for (name, text) in [(composed, "likes tea"), (decomposed, "likes coffee")] {
        let body = json!({"scope": {"user_id": name}, "memories": [{"text": text, "tags": [name]}]});
        assert_eq!(server.post("/v1/memories", &body).await.status, 201);
        let turns =
            json!({"scope": {"user_id": name}, "session": name, "turns": [{"role": "user", "text": text}]});
        assert_eq!(server.post("/v1/turns", &turns).await.status, 201);
    }
    for name in [composed, decomposed] {
        let filter = |test: Value| json!({"and": [{"field": "kind", "eq": "fact"}, test]});
        for test in [json!({"field": "tags", "contains": name}), json!({"field": "tags", "in": [name]})] {
            let list = json!({"scope": {"user_id": name}, "filter": filter(test)});
            assert_eq!(server.post("/v1/memories/list", &list).await.json()["total"], 2);
        }
    }
    let sessions = server.get("/v1/sessions?user_id=Ren%C3%A9").await.json();
    assert_eq!(sessions["sessions"].as_array().map(Vec::len), Some(1));
    assert_eq!(server.get("/v1/owners").await.json()["owners"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_name_does_not_break_or_turn_a_line() {
    let server = TestServer::working().await;
    for name in ["a\u{2028}b", "a\u{2029}b", "a\u{202e}b", "a\u{2066}b", "\u{200b}"] {
        let turns =
            json!({"scope": {"user_id": "ann"}, "session": name, "turns": [{"role": "user", "text": "a"}]});
        assert_eq!(server.post("/v1/turns", &turns).await.problem().2, "session", "{name:?}");
    }
}

#[tokio::test]
async fn the_end_of_the_year_9999_is_a_time() {
    let server = TestServer::working().await;
    for time in
        ["9999-12-31", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59-05:00"]
    {
        for field in ["valid_to", "expires_at", "happened_at"] {
            assert_eq!(add(&server, json!({"text": "a", field: time})).await.0, 201, "{field} {time}");
        }
    }
    assert_eq!(add(&server, json!({"text": "a", "valid_to": "10000-01-01"})).await.1, "memories[0].valid_to");
}
