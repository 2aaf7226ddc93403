//! Time zones over HTTP: the zone of an owner, the zone of a request, and offsets that come back.

use std::io::Cursor;

use axum::http::Method;
use engrain::formats::{Batch, ImportOptions, read};
use serde_json::{Value, json};

use super::support::TestServer;

fn mara() -> Value {
    json!({"user_id": "mara"})
}

async fn say(server: &TestServer, said_at: &str) {
    let turns = json!([{"role": "user", "text": "I planted tulips.", "said_at": said_at}]);
    let added = server.post("/v1/turns", &json!({"scope": mara(), "session": "s", "turns": turns})).await;
    assert_eq!(added.status, 201);
}

#[tokio::test]
async fn yesterday_in_shanghai_is_the_day_before_in_shanghai() {
    let server = TestServer::working().await;
    say(&server, "2026-03-01T20:00:00+08:00").await;
    let asked =
        json!({"scope": mara(), "query": "What did I plant yesterday?", "now": "2026-03-02T07:00:00+08:00"});
    let recalled = server.post("/v1/recall", &asked).await.json();
    assert_eq!(recalled["times"][0]["first_day"], "2026-03-01", "{recalled}");
    assert_eq!(recalled["memories"][0]["happened_at"], "2026-03-01T12:00:00Z");
    assert_eq!(recalled["memories"][0]["utc_offset_minutes"], 480);
    let mut elsewhere = asked.clone();
    elsewhere["timezone"] = json!("America/New_York");
    let recalled = server.post("/v1/recall", &elsewhere).await.json();
    assert_eq!(recalled["times"][0]["first_day"], "2026-02-28", "{recalled}");
}

#[tokio::test]
async fn an_owner_has_a_time_zone_until_it_is_reset() {
    let server = TestServer::working().await;
    let shown = server.get("/v1/timezone?user_id=mara").await.json();
    assert_eq!(shown, json!({"timezone": "UTC", "is_own": false}));
    let set = json!({"scope": mara(), "timezone": "asia/shanghai"}).to_string();
    let state = server.json(Method::PUT, "/v1/timezone", set).await.json();
    assert_eq!(state, json!({"timezone": "Asia/Shanghai", "is_own": true}));
    assert_eq!(server.get("/v1/timezone?user_id=mara").await.json(), state);
    let asked = json!({"scope": mara(), "query": "What did I plant today?", "now": "2026-03-01T23:00:00Z"});
    let recalled = server.post("/v1/recall", &asked).await.json();
    assert_eq!(recalled["times"][0]["first_day"], "2026-03-02", "{recalled}");
    let reset = json!({"scope": mara(), "timezone": null}).to_string();
    assert_eq!(server.json(Method::PUT, "/v1/timezone", reset).await.json(), shown);
}

#[tokio::test]
async fn an_unknown_time_zone_is_refused_with_its_path() {
    let server = TestServer::working().await;
    let refused = (422, "invalid_request".to_owned(), "timezone".to_owned());
    for zone in ["Mars/Olympus", "", "+8", "+25:00"] {
        let set = json!({"scope": mara(), "timezone": zone}).to_string();
        assert_eq!(server.json(Method::PUT, "/v1/timezone", set).await.problem(), refused, "{zone}");
        let asked = json!({"scope": mara(), "query": "tulips", "timezone": zone});
        assert_eq!(server.post("/v1/recall", &asked).await.problem(), refused, "{zone}");
        let why = json!({"memory_id": uuid::Uuid::nil(), "recall": asked});
        assert_eq!(server.post("/v1/recall/why-not", &why).await.problem().0, 422, "{zone}");
    }
    assert_eq!(server.get("/v1/timezone").await.problem().0, 422, "no scope");
}

#[tokio::test]
async fn offsets_survive_an_export_and_an_import() {
    let said =
        ["2026-03-01T20:00:00.25+05:45", "2026-03-02T00:00:00Z", "2026-03-02", "2026-03-02T00:00:00-05:00"];
    let first = TestServer::working().await;
    for said_at in said {
        say(&first, said_at).await;
    }
    let fact = json!({"text": "Tulips are in.", "happened_at": "2026-03-01T20:00:00+08:00", "happened_until": "2026-03-02"});
    assert_eq!(first.post("/v1/memories", &json!({"scope": mara(), "memories": [fact]})).await.status, 201);
    let offsets = async |server: &TestServer| {
        let listed =
            server.post("/v1/memories/list", &json!({"scope": mara(), "order": "oldest_first"})).await.json();
        let memories = listed["memories"].as_array().expect("a list").clone();
        let time = |memory: &Value| (memory["happened_at"].clone(), memory["utc_offset_minutes"].clone());
        memories.iter().map(time).collect::<Vec<_>>()
    };
    let before = offsets(&first).await;
    assert_eq!(before[0], (json!("2026-03-01T14:15:00.25Z"), json!(345)));
    let minutes: Vec<&Value> = before.iter().map(|(_, minutes)| minutes).collect();
    assert_eq!(minutes, [&json!(345), &Value::Null, &json!(0), &json!(-300), &json!(480)]);

    let export = first.get("/v1/export").await.body;
    let second = TestServer::working().await;
    // The ids of both test servers are counted: the second store must not give those of the first again.
    let others: Vec<Value> = (0..40).map(|at| json!({"text": format!("filler {at}")})).collect();
    let others = json!({"scope": {"user_id": "somebody else"}, "memories": others});
    assert_eq!(second.post("/v1/memories", &others).await.status, 201);
    for item in read(Cursor::new(export), "export", &ImportOptions::default()).expect("a format") {
        let item = item.expect("an item");
        assert!(item.edits.is_empty(), "{:?}", item.edits);
        let (path, body) = match &item.batch {
            Batch::Turns(turns) => ("/v1/turns", json!(turns)),
            Batch::Memories(memories) => ("/v1/memories", json!(memories)),
        };
        assert_eq!(second.post(path, &body).await.status, 201);
    }
    assert_eq!(offsets(&second).await, before);
}
