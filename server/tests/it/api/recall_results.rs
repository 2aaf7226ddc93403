//! Results of recall: excerpts of long texts, pages bounded in bytes, and what an explanation shows to whom.

use serde_json::{Value, json};

use super::support::TestServer;

async fn add(server: &TestServer, scope: Value, memories: Value) -> Vec<String> {
    let answer = server.post("/v1/memories", &json!({"scope": scope, "memories": memories})).await;
    assert_eq!(answer.status, 201, "{}", answer.json());
    let ids = answer.json()["memory_ids"].as_array().expect("ids").clone();
    ids.iter().filter_map(|id| Some(id.as_str()?.to_owned())).collect()
}

fn long_text() -> String {
    let filler = |word: &str| (0..8_000).map(|at| format!("{word}{at} ")).collect::<String>();
    format!("{}The garage code is 4711. {}", filler("before"), filler("after"))
}

#[tokio::test]
async fn a_long_memory_returns_an_excerpt_around_the_span_that_matched() {
    let server = TestServer::working().await;
    let ann = json!({"user_id": "ann"});
    let text = long_text();
    let ids = add(&server, ann.clone(), json!([{"text": text}])).await;
    let ask = |more: Value| {
        let mut request = json!({"scope": ann, "query": "garage code 4711"});
        request.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        request
    };
    for (more, at_most) in [(json!({}), 16_384), (json!({"max_text_bytes": 200}), 200)] {
        let answer = server.post("/v1/recall", &ask(more)).await;
        assert!(answer.body.len() < at_most + 12_000, "{} bytes", answer.body.len());
        let found = &answer.json()["memories"][0];
        let shown = found["text"].as_str().expect("a text");
        let at = |number: &Value| usize::try_from(number.as_u64().expect("a number")).expect("small");
        let (start, end) = (at(&found["excerpt"]["start"]), at(&found["excerpt"]["end"]));
        assert!(shown.len() <= at_most && text[start..end] == *shown, "{} bytes", shown.len());
        let span = &found["explain"]["best_span"];
        assert!(start <= at(&span[0]) && (end >= at(&span[1]) || end - start > at_most - 12), "{span}");
        assert_eq!(found["excerpt"]["of_bytes"], text.len());
    }
    let whole = server.post("/v1/recall", &ask(json!({"max_text_bytes": 1_048_576}))).await.json();
    assert_eq!(
        (whole["memories"][0]["text"].as_str(), &whole["memories"][0]["excerpt"]),
        (Some(&*text), &Value::Null)
    );
    let one = server.get(&format!("/v1/memories/{}", ids[0])).await.json();
    assert_eq!(one["text"].as_str(), Some(&*text));
    for (value, code) in [(json!(0), "invalid_request"), (json!(1_048_577), "over_limit")] {
        let problem = server.post("/v1/recall", &ask(json!({"max_text_bytes": value}))).await.problem();
        assert_eq!((problem.1.as_str(), problem.2.as_str()), (code, "max_text_bytes"));
    }
}

#[tokio::test]
async fn why_not_shows_nothing_of_the_content_of_a_memory_that_the_scope_may_not_see() {
    let server = TestServer::working().await;
    let bob = json!({"user_id": "bob", "agent_id": "helper"});
    let made = add(
        &server,
        bob.clone(),
        json!([
            {"text": "the pin of my card is 4711"},
            {"text": "the dog is called Rex", "visibility": "shared"},
            {"text": "a surprise for carol", "audience": ["dave"]}
        ]),
    )
    .await;
    let why = async |id: &str, recall: Value| {
        let body = json!({"memory_id": id, "recall": recall});
        server.post("/v1/recall/why-not", &body).await.json()
    };
    let private = why(&made[0], json!({"scope": {"agent_id": "helper"}, "query": "pin of the card"})).await;
    let not_told =
        why(&made[2], json!({"scope": {"user_id": "bob"}, "query": "surprise", "partner": "carol"})).await;
    for (answer, verdict) in [(private, "not_visible"), (not_told, "not_for_partner")] {
        assert_eq!(answer["verdict"], verdict);
        assert_eq!((&answer["score"], &answer["rank"]), (&Value::Null, &Value::Null), "{answer}");
        assert_eq!(answer["explain"]["signals"], json!([]));
        assert_eq!(answer["explain"]["best_span"], Value::Null);
    }
    let own = why(&made[0], json!({"scope": {"user_id": "bob"}, "query": "pin of the card"})).await;
    assert!(own["score"].is_number() && own["explain"]["best_span"].is_array(), "{own}");
}

#[tokio::test]
async fn an_edit_of_what_happened_moves_the_clock_of_forgetting() {
    let server = TestServer::working().await;
    let ann = json!({"user_id": "ann"});
    let ids = add(&server, ann.clone(), json!([{"text": "tea", "happened_at": "2026-01-01"}])).await;
    let retention = async || {
        let request = json!({"scope": ann, "query": "tea", "now": "2026-02-01T00:00:00Z", "weights": {"retention": 1.0}});
        let answer = server.post("/v1/recall", &request).await.json();
        answer["memories"][0]["explain"]["retention"]["retention"].as_f64().expect("a retention")
    };
    let before = retention().await;
    let edit = json!({"happened_at": "2026-01-31"}).to_string();
    let edited = server.json(axum::http::Method::PATCH, &format!("/v1/memories/{}", ids[0]), edit).await;
    assert_eq!(edited.status, 200);
    assert!(retention().await > before + 0.1, "{before}");
}

#[tokio::test]
async fn an_author_with_an_article_is_named_by_the_word_after_it() {
    let server = TestServer::working().await;
    let turn = |author: &str, text: &str| json!({"role": "user", "author": author, "text": text});
    let turns = [turn("The Boss", "the tea is cold"), turn("Mr Lee", "the tea is hot")];
    let body = json!({"scope": {"user_id": "ann"}, "turns": turns});
    assert_eq!(server.post("/v1/turns", &body).await.status, 201);
    let named = async |query: &str| {
        let answer =
            server.post("/v1/recall", &json!({"scope": {"user_id": "ann"}, "query": query})).await.json();
        let mut authors = Vec::new();
        for found in answer["memories"].as_array().expect("memories") {
            let mut signals = found["explain"]["signals"].as_array().expect("signals").iter();
            if signals.any(|signal| signal["name"] == "speaker") {
                authors.push(found["origin"]["author"].as_str().expect("an author").to_owned());
            }
        }
        authors
    };
    assert_eq!(named("what about the tea, mr").await, Vec::<String>::new());
    assert_eq!(named("what did the boss say about tea").await, ["The Boss"]);
    assert_eq!(named("what did Lee say about tea").await, ["Mr Lee"]);
}
