//! Bare dates of requests: the beginning of that day in the zone of the request or of the owner, in every field.

use axum::http::Method;
use serde_json::{Value, json};

use super::support::TestServer;

fn mara() -> Value {
    json!({"user_id": "mara"})
}

async fn server_in(zone: &str) -> TestServer {
    let server = TestServer::working().await;
    live_in(&server, zone).await;
    server
}

async fn live_in(server: &TestServer, zone: &str) {
    let set = json!({"scope": mara(), "timezone": zone}).to_string();
    assert_eq!(server.json(Method::PUT, "/v1/timezone", set).await.status, 200);
}

async fn add(server: &TestServer, memory: Value) -> String {
    let added = server.post("/v1/memories", &json!({"scope": mara(), "memories": [memory]})).await;
    assert_eq!(added.status, 201);
    added.json()["memory_ids"][0].as_str().expect("an id").to_owned()
}

async fn shown(server: &TestServer, id: &str) -> Value {
    server.get(&format!("/v1/memories/{id}")).await.json()
}

async fn context(server: &TestServer) -> String {
    let asked = json!({"scope": mara(), "query": "tulips", "include_superseded": true});
    let recalled = server.post("/v1/recall", &asked).await.json();
    recalled["context"]["text"].as_str().expect("a block").to_owned()
}

/// Number of memories that happened on a day.
async fn found_on(server: &TestServer, (day, next): (&str, &str)) -> Value {
    let filter = json!({"field": "happened_at", "range": {"gte": day, "lt": next}});
    let listed = server.post("/v1/memories/list", &json!({"scope": mara(), "filter": filter})).await.json();
    let asked = json!({"scope": mara(), "query": "tulips", "filter": filter, "limit": 100});
    let recalled = server.post("/v1/recall", &asked).await.json();
    let erasure = json!({"scope": mara(), "filter": filter});
    let preview = server.post("/v1/memories/delete", &erasure).await.json();
    assert_eq!(json!(recalled["memories"].as_array().expect("a list").len()), listed["total"], "recall");
    assert_eq!(preview["matched"], listed["total"], "erasure");
    listed["total"].clone()
}

const ZONES: [&str; 6] =
    ["UTC", "America/New_York", "Asia/Shanghai", "Pacific/Kiritimati", "-11:30", "Asia/Kathmandu"];

#[tokio::test]
async fn a_bare_date_is_the_beginning_of_that_day_for_the_owner_in_every_field() {
    let server = server_in("America/New_York").await;
    let id = add(
        &server,
        json!({"text": "tulips", "happened_at": "2026-03-01", "happened_until": "2026-07-02",
            "valid_from": "2026-03-01", "valid_to": "2026-12-24", "expires_at": "2027-01-01"}),
    )
    .await;
    let memory = shown(&server, &id).await;
    for (field, time) in [
        ("happened_at", "2026-03-01T05:00:00Z"),
        ("happened_until", "2026-07-02T04:00:00Z"),
        ("valid_from", "2026-03-01T05:00:00Z"),
        ("valid_to", "2026-12-24T05:00:00Z"),
        ("expires_at", "2027-01-01T05:00:00Z"),
    ] {
        assert_eq!(memory[field], time, "{field}");
    }
    assert_eq!(memory["utc_offset_minutes"], -300);

    let turn = json!({"role": "user", "text": "roses", "said_at": "2026-07-01", "expires_at": "2030-07-01"});
    let turns = json!({"scope": mara(), "session": "s", "turns": [turn]});
    let added = server.post("/v1/turns", &turns).await.json();
    let id = added["memory_ids"][0].as_str().expect("an id");
    let memory = shown(&server, id).await;
    assert_eq!(memory["happened_at"], "2026-07-01T04:00:00Z");
    assert_eq!(memory["expires_at"], "2030-07-01T04:00:00Z");
    assert_eq!(memory["utc_offset_minutes"], -240);
}

#[tokio::test]
async fn a_bare_date_of_an_edit_is_a_day_of_the_owner_of_the_memory() {
    let server = server_in("Asia/Shanghai").await;
    let id = add(&server, json!({"text": "tulips", "happened_at": "2026-03-01T00:00:00-05:00"})).await;
    let edit = json!({"happened_at": "2026-03-01", "valid_from": "2026-03-01", "valid_to": "2026-04-01",
        "expires_at": "2030-01-01"});
    let edited = server.json(Method::PATCH, &format!("/v1/memories/{id}"), edit.to_string()).await.json();
    assert_eq!(edited["happened_at"], "2026-02-28T16:00:00Z");
    assert_eq!(edited["valid_from"], "2026-02-28T16:00:00Z");
    assert_eq!(edited["valid_to"], "2026-03-31T16:00:00Z");
    assert_eq!(edited["expires_at"], "2029-12-31T16:00:00Z");
    assert_eq!(edited["utc_offset_minutes"], 480);
    let missing = format!("/v1/memories/{}", uuid::Uuid::nil());
    assert_eq!(server.json(Method::PATCH, &missing, edit.to_string()).await.status, 404);
    let wrong = json!({"valid_from": "2026-03-01", "valid_to": "2026-02-30"}).to_string();
    let refused = server.json(Method::PATCH, &format!("/v1/memories/{id}"), wrong).await.problem();
    assert_eq!(refused, (422, "invalid_request".to_owned(), "valid_to".to_owned()));
}

#[tokio::test]
async fn what_happened_on_a_bare_date_is_found_and_headed_by_that_day_in_every_zone() {
    for zone in ZONES {
        let server = server_in(zone).await;
        add(&server, json!({"text": "tulips", "happened_at": "2026-03-02"})).await;
        let turn = json!({"role": "user", "text": "I planted tulips.", "said_at": "2026-03-02"});
        let turns = json!({"scope": mara(), "session": "s", "turns": [turn]});
        assert_eq!(server.post("/v1/turns", &turns).await.status, 201);
        assert_eq!(found_on(&server, ("2026-03-02", "2026-03-03")).await, 2, "{zone}");
        assert_eq!(found_on(&server, ("2026-03-01", "2026-03-02")).await, 0, "{zone}");
        for later in ZONES {
            live_in(&server, later).await;
            let context = context(&server).await;
            assert!(context.contains("2026-03-02"), "{zone} {later}: {context}");
            assert!(!context.contains("2026-03-01") && !context.contains("2026-03-03"), "{zone} {later}");
        }
    }
}

#[tokio::test]
async fn a_filter_of_a_day_selects_what_the_context_heads_by_that_day() {
    let server = server_in("America/New_York").await;
    for said_at in ["2026-03-02T04:59:59Z", "2026-03-02T05:00:00Z", "2026-03-03T04:59:59Z"] {
        let turn = json!({"role": "user", "text": format!("tulips {said_at}"), "said_at": said_at});
        let turns = json!({"scope": mara(), "session": "s", "turns": [turn]});
        assert_eq!(server.post("/v1/turns", &turns).await.status, 201);
    }
    for (day, next, found) in [("2026-03-01", "2026-03-02", 1), ("2026-03-02", "2026-03-03", 2)] {
        assert_eq!(found_on(&server, (day, next)).await, found, "{day}");
        let filter = json!({"field": "happened_at", "range": {"gte": day, "lt": next}});
        let asked = json!({"scope": mara(), "query": "tulips", "filter": filter});
        let recalled = server.post("/v1/recall", &asked).await.json();
        let text = recalled["context"]["text"].as_str().expect("a block").to_owned();
        let mut headings = text.lines().filter(|line| line.starts_with("##"));
        assert!(headings.all(|line| line.starts_with(&format!("## {day}"))), "{text}");
    }
}

#[tokio::test]
async fn validity_is_shown_by_the_days_that_were_given_also_across_a_change_of_the_clocks() {
    for zone in ZONES {
        let server = server_in(zone).await;
        for (happened_at, valid_from, valid_to, note) in [
            (Value::Null, json!("2026-03-01"), Value::Null, "2026-03-01)"),
            (Value::Null, Value::Null, json!("2126-12-24"), "(until 2126-12-24)"),
            (Value::Null, Value::Null, json!("9999-12-31"), "(until 9999-12-31)"),
            (
                json!("2026-01-10"),
                json!("2026-07-01"),
                json!("2026-12-24"),
                "from 2026-07-01 until 2026-12-24",
            ),
            (
                json!("2026-07-10"),
                json!("2026-01-01"),
                json!("2026-07-24"),
                "from 2026-01-01 until 2026-07-24",
            ),
            (json!("2026-01-10T09:00:00+08:00"), json!("2026-03-01"), Value::Null, "2026-03-01)"),
        ] {
            let memory = json!({"text": "tulips", "happened_at": happened_at, "valid_from": valid_from,
                "valid_to": valid_to});
            let id = add(&server, memory.clone()).await;
            let context = context(&server).await;
            assert!(context.contains(note), "{zone} {memory}: {context}");
            server.json(Method::DELETE, &format!("/v1/memories/{id}"), "").await;
        }
    }
}

#[tokio::test]
async fn bare_dates_of_a_recall_are_days_of_its_zone_then_the_owners_then_of_the_offset_of_now() {
    let server = TestServer::working().await;
    add(&server, json!({"text": "tulips", "happened_at": "2026-03-02T04:30:00Z"})).await;
    let ask = async |extra: Value| {
        let mut asked = json!({"scope": mara(), "query": "What did I plant today?",
            "filter": {"field": "happened_at", "range": {"lt": "2026-03-02"}}});
        for (name, value) in extra.as_object().expect("fields") {
            asked[name] = value.clone();
        }
        let recalled = server.post("/v1/recall", &asked).await.json();
        let why = json!({"memory_id": recalled["memories"][0]["id"], "recall": asked});
        let found = recalled["memories"].as_array().expect("a list").len();
        if found == 1 {
            assert_eq!(server.post("/v1/recall/why-not", &why).await.json()["verdict"], "returned");
        }
        (recalled["times"][0]["first_day"].clone(), found)
    };
    let day = || json!("2026-03-02");
    assert_eq!(ask(json!({"now": "2026-03-02"})).await, (day(), 0), "UTC");
    assert_eq!(ask(json!({"now": "2026-03-02", "timezone": "America/New_York"})).await, (day(), 1));
    assert_eq!(ask(json!({"now": "2026-03-02T09:00:00-05:00"})).await, (day(), 1));
    live_in(&server, "America/New_York").await;
    assert_eq!(ask(json!({"now": "2026-03-02"})).await, (day(), 1));
    assert_eq!(ask(json!({"now": "2026-03-02T23:00:00+08:00"})).await, (day(), 1));
    assert_eq!(ask(json!({"now": "2026-03-02", "timezone": "UTC"})).await, (day(), 0));
}

#[tokio::test]
async fn the_state_at_a_bare_date_is_that_of_the_beginning_of_the_owners_day() {
    let server = server_in("America/New_York").await;
    let lives = |place: &str, from: &str, to: Value| {
        json!({"text": format!("The user lives in {place}."), "valid_from": from, "valid_to": to,
            "statement": {"subject": "user", "attribute": "home", "object": place}})
    };
    add(&server, lives("Paris", "2025-01-01", json!("2026-03-01"))).await;
    add(&server, lives("Lisbon", "2026-03-01", Value::Null)).await;
    let home = async |at: &str| {
        let profile = server.get(&format!("/v1/profile?user_id=mara&valid_at={at}")).await.json();
        profile["slots"][0]["values"][0]["object"].clone()
    };
    assert_eq!(home("2026-02-28T23:30:00-05:00").await, "Paris", "still 28 February there");
    assert_eq!(home("2026-02-28").await, "Paris");
    assert_eq!(home("2026-03-01").await, "Lisbon");
    assert_eq!(home("2026-03-01T00:00:00-05:00").await, "Lisbon");

    let at = async |valid_at: &str, timezone: Value| {
        let asked = json!({"scope": mara(), "query": "lives", "timezone": timezone, "now": "2027-01-01",
            "as_of": {"valid_at": valid_at}});
        let recalled = server.post("/v1/recall", &asked).await.json();
        assert_eq!(recalled["memories"].as_array().expect("a list").len(), 1, "{recalled}");
        recalled["memories"][0]["text"].clone()
    };
    assert_eq!(at("2026-03-01", Value::Null).await, "The user lives in Lisbon.");
    assert_eq!(at("2026-03-01", json!("Asia/Shanghai")).await, "The user lives in Paris.");
    // Everything was recorded after that day.
    let known = server.get("/v1/profile?user_id=mara&known_at=2001-01-01").await.json();
    assert_eq!(known["slots"], json!([]));
}

#[tokio::test]
async fn the_last_date_is_for_ever_and_the_first_is_a_time_in_every_zone() {
    for zone in ZONES {
        let server = server_in(zone).await;
        let id = add(
            &server,
            json!({"text": "tulips", "happened_at": "0001-01-01", "valid_from": "0001-01-01",
                "valid_to": "9999-12-31", "expires_at": "9999-12-31"}),
        )
        .await;
        let memory = shown(&server, &id).await;
        assert_eq!(memory["valid_to"], "9999-12-31T00:00:00Z", "{zone}");
        assert_eq!(memory["expires_at"], "9999-12-31T00:00:00Z", "{zone}");
        let context = context(&server).await;
        assert!(context.contains("0001-01-01") && context.contains("until 9999-12-31"), "{zone}: {context}");
        assert_eq!(found_on(&server, ("0001-01-01", "0001-01-02")).await, 1, "{zone}");
    }
}

#[tokio::test]
async fn a_date_and_time_without_an_offset_is_still_refused() {
    let server = server_in("America/New_York").await;
    for field in ["happened_at", "valid_from", "valid_to", "expires_at"] {
        let memories = json!([{"text": "a", field: "2026-03-01T09:00:00"}]);
        let refused = server.post("/v1/memories", &json!({"scope": mara(), "memories": memories})).await;
        assert_eq!(refused.problem().2, format!("memories[0].{field}"));
    }
}
