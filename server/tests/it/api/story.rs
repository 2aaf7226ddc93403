//! Life cycle of memories through the router, over a real engine with a store on disk and the hashing embedder.

use super::support::{Answer, TestServer};
use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::{Value, json};

fn conversation(turns: &[&str]) -> Value {
    let turns: Vec<Value> = turns
        .iter()
        .enumerate()
        .map(|(at, text)| json!({"role": "user", "text": text, "said_at": format!("2023-05-20T02:{at:02}:00Z")}))
        .collect();
    json!({"scope": {"user_id": "mara", "agent_id": "concierge"}, "session": "tuesday", "turns": turns})
}

async fn post_keyed(server: &TestServer, path: &str, key: &str, body: &Value) -> Answer {
    let request =
        Request::post(path).header("content-type", "application/json").header("idempotency-key", key);
    server.send(request.body(Body::from(body.to_string())).expect("a request")).await
}

fn mara() -> Value {
    json!({"user_id": "mara"})
}

#[tokio::test]
async fn turns_are_recalled_and_a_repeated_request_adds_none() {
    let server = TestServer::working().await;
    let said = conversation(&["I moved to Lisbon last week", "The bakery downstairs sells custard tarts"]);
    let first = post_keyed(&server, "/v1/turns", "k-1", &said).await;
    assert_eq!(first.status, 201);
    let again = post_keyed(&server, "/v1/turns", "k-1", &said).await;
    assert_eq!((again.status.as_u16(), again.json()["repeated"].clone()), (200, json!(true)));
    assert_eq!(first.json()["turn_ids"], again.json()["turn_ids"]);
    let other = post_keyed(&server, "/v1/turns", "k-1", &conversation(&["something else"])).await;
    assert_eq!(other.problem().1, "idempotency_key_reused");

    let recall = json!({"scope": mara(), "query": "custard tarts from the bakery", "limit": 1});
    let answer = server.post("/v1/recall", &recall).await.json();
    assert_eq!(answer["memories"][0]["text"], "The bakery downstairs sells custard tarts");
    assert_eq!(answer["memories"][0]["origin"]["session"], "tuesday");
    assert!(answer["context"]["text"].as_str().is_some_and(|text| text.contains("custard")), "{answer}");

    let page = server.post("/v1/memories/list", &json!({"scope": mara(), "limit": 1})).await.json();
    assert_eq!(page["total"], 2);
    let cursor = page["next_cursor"].clone();
    let rest = server
        .post("/v1/memories/list", &json!({"scope": mara(), "limit": 1, "cursor": cursor}))
        .await
        .json();
    assert!(rest["next_cursor"].is_null() && rest["memories"][0]["id"] != page["memories"][0]["id"]);

    let missed = json!({"memory_id": rest["memories"][0]["id"], "recall": recall});
    assert!(server.post("/v1/recall/why-not", &missed).await.json()["reason"].is_string());
}

#[tokio::test]
async fn memories_are_edited_and_erased() {
    let server = TestServer::working().await;
    let added =
        json!({"scope": mara(), "memories": [{"text": "Mara is allergic to peanuts", "tags": ["health"]}]});
    let made = server.post("/v1/memories", &added).await;
    assert_eq!(made.status, 201);
    let id = made.json()["memory_ids"][0].as_str().expect("an id").to_owned();
    let path = format!("/v1/memories/{id}");

    let edit = json!({"if_version": 1, "text": "Mara is allergic to cashews", "expires_at": null});
    assert_eq!(server.json(Method::PATCH, &path, edit.to_string()).await.json()["version"], 2);
    let stale = server.json(Method::PATCH, &path, edit.to_string()).await;
    assert_eq!(stale.problem().1, "version_conflict");
    let history = server.get(&format!("{path}/history")).await.json();
    let versions: Vec<&Value> =
        history["versions"].as_array().expect("versions").iter().map(|v| &v["text"]).collect();
    assert_eq!(versions, ["Mara is allergic to peanuts", "Mara is allergic to cashews"]);

    let everything = json!({"scope": mara(), "filter": {"field": "tags", "contains": "health"}});
    let preview = server.post("/v1/memories/delete", &everything).await.json();
    assert_eq!((&preview["done"], &preview["matched"]), (&json!(false), &json!(1)));
    let wrong = json!({"scope": mara(), "filter": {"and": []}, "confirmation": "no such"});
    assert_eq!(server.post("/v1/memories/delete", &wrong).await.problem().1, "confirmation_stale");
    let mut confirmed = everything;
    confirmed["confirmation"] = preview["confirmation"].clone();
    let done = server.post("/v1/memories/delete", &confirmed).await.json();
    assert_eq!((&done["done"], &done["erased"]), (&json!(true), &json!(1)));
    assert_eq!(server.get(&path).await.problem().1, "not_found");
    assert_eq!(server.json(Method::DELETE, &path, "").await.problem().0, 404);
}

#[tokio::test]
async fn a_turn_is_ranked_with_its_neighbours_speaker_and_time() {
    let server = TestServer::working().await;
    let turn = |author: &str, text: &str, day: u32| json!({"role": "user", "author": author, "text": text, "said_at": format!("2023-05-{day:02}T10:00:00Z")});
    let talk = |session: &str, day: u32| {
        json!({"scope": mara(), "session": session, "turns": [
            turn("Mara", "Where did you spend the holiday?", day),
            turn("Otto", "By the sea, with my sister.", day),
        ]})
    };
    for (session, day) in [("monday", 8), ("friday", 19)] {
        assert_eq!(server.post("/v1/turns", &talk(session, day)).await.status, 201);
    }
    let recall = json!({
        "scope": mara(), "query": "Where did Otto spend the holiday eleven days ago?", "now": "2023-05-30T12:00:00Z",
    });
    let answer = server.post("/v1/recall", &recall).await.json();
    assert_eq!(
        answer["times"],
        json!([{"words": "eleven days ago", "first_day": "2023-05-19", "last_day": "2023-05-19"}])
    );
    let memories = answer["memories"].as_array().expect("memories");
    let said = |memory: &Value| {
        let signals = memory["explain"]["signals"].as_array().expect("signals").clone();
        let mut names: Vec<String> =
            signals.iter().map(|signal| signal["name"].as_str().expect("a name").to_owned()).collect();
        names.sort();
        names.join(" ")
    };
    let answers = memories.iter().find(|one| one["text"].as_str().expect("a text").starts_with("By the sea"));
    let best = answers.expect("the answer comes with its question");
    assert_eq!(best["origin"]["session"], "friday", "the day that the question names comes first");
    assert_eq!(said(best), "dense graph lexical neighbours speaker time window");

    let mut plain = recall;
    plain["weights"] = json!({"window": 0, "neighbours": 0, "replies": 0, "speaker": 0, "time": 0});
    let answer = server.post("/v1/recall", &plain).await.json();
    assert!(answer.get("times").is_none());
    plain["weights"]["time"] = json!(101);
    assert_eq!(server.post("/v1/recall", &plain).await.problem().0, 422);
}

#[tokio::test]
async fn memories_link_to_each_other() {
    let server = TestServer::working().await;
    let adding = |memories: Value| json!({"scope": mara(), "memories": memories});
    let made =
        server.post("/v1/memories", &adding(json!([{"text": "tea"}, {"text": "coffee"}]))).await.json();
    let (tea, coffee) = (&made["memory_ids"][0], &made["memory_ids"][1]);
    let links =
        json!([{"to": tea, "relation": "supports", "weight": 0.8}, {"to": coffee, "relation": "rules out"}]);
    let note =
        server.post("/v1/memories", &adding(json!([{"text": "Mara drinks tea", "links": links}]))).await;
    let path = format!("/v1/memories/{}", note.json()["memory_ids"][0].as_str().expect("an id"));
    let shown = server.get(&path).await.json();
    let whole = json!({"to": coffee, "relation": "rules out", "weight": 1.0});
    assert_eq!(shown["links"], json!([links[0], whole]));

    let nobody = "01890a5d-ac96-774b-bcce-b30209900003";
    let unknown =
        json!([{"text": "kept by half"}, {"text": "a", "links": [{"to": nobody, "relation": "a"}]}]);
    let refused = server.post("/v1/memories", &adding(unknown)).await;
    assert_eq!((refused.problem().0, refused.problem().1.as_str()), (404, "not_found"));
    let page = server.post("/v1/memories/list", &json!({"scope": mara()})).await.json();
    assert_eq!(page["total"], 3);
    let edit = json!({"links": [{"to": nobody, "relation": "a"}]}).to_string();
    assert_eq!(server.json(Method::PATCH, &path, edit).await.problem().0, 404);

    let edit = json!({"links": []}).to_string();
    let edited = server.json(Method::PATCH, &path, edit).await.json();
    assert_eq!((&edited["version"], &edited["links"]), (&json!(2), &Value::Null));
    let tea = format!("/v1/memories/{}", tea.as_str().expect("an id"));
    assert_eq!(server.json(Method::DELETE, &tea, "").await.status, 200);
    let versions = server.get(&format!("{path}/history")).await.json();
    assert_eq!(versions["versions"][0]["links"], json!([whole]));
}

#[tokio::test]
async fn conversations_can_be_read_page_by_page() {
    let server = TestServer::working().await;
    for session in ["one", "two", "three"] {
        let mut said = conversation(&["a word", "another word", "a third"]);
        said["session"] = json!(session);
        assert_eq!(server.post("/v1/turns", &said).await.status, 201);
    }
    let page = server.get("/v1/sessions?user_id=mara&limit=3").await.json();
    assert!(page["next_cursor"].is_null(), "a full page may be the last: {page}");
    let page = server.get("/v1/sessions?user_id=mara&limit=2").await.json();
    let next = page["next_cursor"].as_str().expect("more");
    let rest = server.get(&format!("/v1/sessions?user_id=mara&limit=2&cursor={next}")).await.json();
    assert_eq!((&rest["sessions"][0]["session"], &rest["next_cursor"]), (&json!("three"), &Value::Null));

    let id = page["sessions"][0]["id"].as_str().expect("an id");
    let turns = server.get(&format!("/v1/sessions/{id}/turns?limit=2")).await.json();
    let next = turns["next_cursor"].as_str().expect("more");
    let rest = server.get(&format!("/v1/sessions/{id}/turns?limit=2&cursor={next}")).await.json();
    assert_eq!((&rest["turns"][0]["seq"], &rest["turns"][0]["text"]), (&json!(2), &json!("a third")));
    assert!(rest["next_cursor"].is_null());
    let owners = server.get("/v1/owners").await.json();
    assert_eq!((&owners["owners"][0]["id"], &owners["owners"][0]["memories"]), (&json!("mara"), &json!(9)));
}

#[tokio::test]
async fn an_export_has_every_record() {
    let server = TestServer::working().await;
    let said = conversation(&["I moved to Lisbon", "I like it"]);
    let turns = server.post("/v1/turns", &said).await.json();
    let fact = json!({"scope": mara(), "memories": [{"text": "Mara lives in Lisbon", "sources": [turns["turn_ids"][0]]}]});
    assert_eq!(server.post("/v1/memories", &fact).await.status, 201);
    let other = json!({"scope": {"agent_id": "concierge"}, "memories": [{"text": "be brief"}]});
    assert_eq!(server.post("/v1/memories", &other).await.status, 201);

    let records = |answer: &Answer| -> Vec<String> {
        let lines = std::str::from_utf8(&answer.body).expect("UTF-8").lines();
        lines.map(|line| serde_json::from_str::<Value>(line).expect(line)["record"].to_string()).collect()
    };
    let all = server.get("/v1/export").await;
    let expected = ["header", "owner", "turn", "turn", "memory", "owner", "memory", "end"];
    assert_eq!(records(&all), expected.map(|record| format!("\"{record}\"")));
    let text = String::from_utf8(all.body).expect("UTF-8");
    let memory: Value =
        text.lines().nth(4).and_then(|line| serde_json::from_str(line).ok()).expect("a memory");
    assert_eq!(memory["sources"][0], turns["turn_ids"][0]);
    assert!(text.ends_with("{\"record\":\"end\",\"records\":4}\n"), "{text}");
    assert_eq!(records(&server.get("/v1/export?agent_id=concierge").await).len(), 4);
}

#[tokio::test]
async fn the_store_is_checked_and_backed_up() {
    let server = TestServer::working().await;
    assert_eq!(server.post("/v1/turns", &conversation(&["a word"])).await.status, 201);
    let report = server.post("/v1/admin/check", &json!({"repair": false})).await.json();
    assert_eq!((&report["healthy"], &report["memories"]), (&json!(true), &json!(1)), "{report}");
    let begun = server.post("/v1/admin/backup", &json!({})).await;
    assert_eq!(begun.status, 202);
    let place = format!("/v1/admin/backup/{}", begun.json()["id"].as_str().expect("an id"));
    let mut state = begun.json();
    while state["state"] == "running" {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        state = server.get(&place).await.json();
    }
    assert_eq!((&state["state"], &state["bytes"]), (&json!("ready"), &state["total_bytes"]), "{state}");
    assert_eq!(
        purge(&server).await,
        (json!("pending"), json!(1)),
        "the file on the server may hold what is erased"
    );
    let copy = server.post(&format!("{place}/file"), &json!({})).await;
    assert!(copy.body.starts_with(b"SQLite format 3\0"), "{}", copy.status);
    assert_eq!(copy.headers["content-length"], copy.body.len().to_string().as_str());
    let left = std::fs::read_dir(server.directory()).expect("a directory").flatten();
    let left: Vec<_> = left.filter(|entry| entry.file_name().to_string_lossy().contains("backup")).collect();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(server.post(&format!("{place}/file"), &json!({})).await.status, 404, "it is fetched once");
    assert_eq!(purge(&server).await, (json!("done"), json!(0)));
}

/// State of the purge, and number of backups on the server.
async fn purge(server: &TestServer) -> (Value, Value) {
    let status = server.get("/v1/admin/purge").await.json();
    (status["state"].clone(), status["copies"].clone())
}

#[tokio::test]
async fn a_backup_is_not_begun_by_get() {
    let server = TestServer::working().await;
    let refused = server.get("/v1/admin/backup").await;
    assert_eq!(
        (refused.status.as_u16(), &refused.headers["allow"]),
        (405, &"POST".parse().expect("a header"))
    );
}

#[tokio::test]
async fn every_erasure_says_where_the_erased_bytes_are() {
    let server = TestServer::working().await;
    let added = server.post("/v1/turns", &conversation(&["one", "two", "three"])).await.json();
    let id = added["memory_ids"][0].as_str().expect("an id");
    assert_eq!(server.json(Method::DELETE, &format!("/v1/memories/{id}"), "").await.json()["purge"], "done");
    let mut request = json!({"scope": mara(), "filter": {"and": []}});
    let preview = server.post("/v1/memories/delete", &request).await.json();
    assert!(preview["purge"].is_null(), "a preview erases nothing");
    request["confirmation"] = preview["confirmation"].clone();
    assert_eq!(server.post("/v1/memories/delete", &request).await.json()["purge"], "done");
    let metrics = String::from_utf8(server.get("/metrics").await.body).expect("UTF-8");
    assert!(!metrics.contains("engrain_purge_pending_erasures 1"), "{metrics}");
}

#[tokio::test]
async fn metrics_have_route_labels_and_no_memory_text() {
    let server = TestServer::working().await;
    assert_eq!(server.post("/v1/turns", &conversation(&["a very private word"])).await.status, 201);
    assert_eq!(server.get("/v1/memories/secret-path").await.status, 422);
    assert_eq!(server.get("/secret-route").await.status, 404);
    let recall = json!({"scope": mara(), "query": "a private question"});
    assert_eq!(server.post("/v1/recall", &recall).await.status, 200);
    let metrics = String::from_utf8(server.get("/metrics").await.body).expect("UTF-8");
    for name in [
        "engrain_requests_total{method=\"POST\",route=\"/v1/turns\",status=\"201\"}",
        "route=\"/v1/memories/{id}\"",
        "route=\"unmatched\"",
        "engrain_recall_step_duration_seconds_bucket{step=\"search\"",
        "engrain_turns_remembered_total",
        "engrain_requests_in_flight",
    ] {
        assert!(metrics.contains(name), "{name} is not in\n{metrics}");
    }
    for secret in ["private", "secret", "mara", "concierge"] {
        assert!(!metrics.contains(secret), "{secret} is in\n{metrics}");
    }
}
