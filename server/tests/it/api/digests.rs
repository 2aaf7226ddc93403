//! Digests and portrait through the API.

use std::time::Duration;

use serde_json::{Value, json};

use super::support::TestServer;

/// Digests of a user as soon as there are so many.
async fn digests(server: &TestServer, query: &str, count: usize) -> Vec<Value> {
    for _ in 0..400 {
        let found = server.get(&format!("/v1/digests?user_id=mara{query}")).await.json();
        let digests = found["digests"].as_array().expect("a list").clone();
        if digests.len() == count {
            return digests;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("no {count} digests");
}

#[tokio::test]
async fn digests_are_listed_with_what_they_cover_and_the_profile_has_the_portrait() {
    let server = TestServer::digesting().await;
    let scope = json!({"user_id": "mara"});
    let turns = json!([{"role": "user", "text": "I adopted a dog.", "said_at": "2024-02-05T10:00:00Z"}]);
    let said =
        server.post("/v1/turns", &json!({"scope": scope, "session": "s", "turns": turns})).await.json();
    let [all, day] = digests(&server, "", 3)
        .await
        .into_iter()
        .filter(|one| one["level"] != "personality_day")
        .collect::<Vec<_>>()
        .try_into()
        .expect("a digest of the day and of all days");
    let (all, day) = if day["day"].is_string() { (all, day) } else { (day, all) };
    assert_eq!((&day["day"], &day["level"]), (&json!("2024-02-05"), &json!("events_day")));
    assert_eq!(day["covers"], said["memory_ids"]);
    assert_eq!(day["is_extractive"], true);
    assert_eq!(all["covers"], json!([day["id"]]));
    assert_eq!(digests(&server, "&level=events_day&from=2024-02-06", 0).await.len(), 0);
    let own = json!([{
        "kind": "digest", "text": "I never eat fish.",
        "document": {"namespace": "digests/portrait", "key": "food"}
    }]);
    server.post("/v1/memories", &json!({"scope": scope, "memories": own})).await.json();
    let portrait = server.get("/v1/profile?user_id=mara").await.json()["portrait"].clone();
    assert_eq!(portrait["events"]["id"], all["id"]);
    let statements = portrait["statements"].as_array().expect("a list");
    let edited: Vec<&Value> = statements.iter().filter(|one| one["is_edited"] == true).collect();
    assert_eq!(edited[0]["text"], "I never eat fish.");

    let asked = |filter: Value| json!({"scope": scope, "query": "Who adopted a dog?", "filter": filter});
    let recalled = server.post("/v1/recall", &asked(Value::Null)).await.json();
    let kinds = |answer: &Value| {
        let memories = answer["memories"].as_array().expect("a list").clone();
        memories.iter().map(|one| one["kind"].clone()).collect::<Vec<_>>()
    };
    assert!(!kinds(&recalled).is_empty() && !kinds(&recalled).contains(&json!("digest")));
    let filter = json!({"field": "kind", "eq": "digest"});
    let recalled = server.post("/v1/recall", &asked(filter)).await.json();
    assert!(kinds(&recalled).contains(&json!("digest")));
}

#[tokio::test]
async fn wrong_levels_and_dates_are_refused_with_their_field() {
    let server = TestServer::digesting().await;
    for (query, field) in
        [("level=events", "level"), ("from=2024-13-01", "from"), ("to=2024-02-05T10:00:00Z", "to")]
    {
        let (status, _, refused) = server.get(&format!("/v1/digests?user_id=mara&{query}")).await.problem();
        assert_eq!((status, refused.as_str()), (422, field));
    }
    let other =
        json!([{"kind": "digest", "text": "x", "document": {"namespace": "digests/events", "key": "all"}}]);
    let refused =
        server.post("/v1/memories", &json!({"scope": {"user_id": "mara"}, "memories": other})).await;
    assert_eq!(refused.problem().2, "memories[0].kind");
}
