//! Language models: the contract of the port over the fake and over the adapter, and the adapter against a scripted
//! server: its requests, and its handling of every answer.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use memory_core::model::ModelError;
use memory_core::model::language_model::openai::{OpenAiModel, OpenAiModelSettings};
use memory_core::model::language_model::scripted::{ScriptedLanguageModel, ScriptedReply};
use memory_core::model::language_model::{
    Finish, LanguageModel, LanguageModelError, ModelReply, ModelRequest, REPLY_BYTES_AT_MOST, ReplySchema,
    Usage,
};
use memory_core::testing::language_model_contract::{Behaviour, Open, holds};
use memory_core::testing::scripted_model::{ScriptedModel, Step};
use parking_lot::Mutex;
use serde_json::{Value, json};

fn settings(base_url: String, changes: Value) -> OpenAiModelSettings {
    let mut json = json!({ "base_url": base_url, "api_key": "secret-key", "model": "m:1b", "timeout_ms": 5000,
        "backoff_ms": 1, "retries": 2 });
    json.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    serde_json::from_value(json).unwrap()
}

fn model(server: &ScriptedModel, changes: Value) -> OpenAiModel {
    OpenAiModel::new("local", settings(server.base_url(), changes)).unwrap()
}

fn request() -> ModelRequest {
    ModelRequest::new("Be brief.", "Where does Anna live?", 50)
}

fn with_schema() -> ModelRequest {
    let schema = json!({ "type": "object", "properties": { "city": { "type": "string" } } });
    ModelRequest { schema: Some(ReplySchema { name: "city".into(), schema }), ..request() }
}

async fn steps(steps: impl IntoIterator<Item = Step>) -> ScriptedModel {
    ScriptedModel::start_steps(steps).await
}

struct Fake;

#[async_trait]
impl Open for Fake {
    async fn open(&self, behaviour: Behaviour) -> Arc<dyn LanguageModel> {
        ScriptedLanguageModel::new(move |request: &ModelRequest| match behaviour {
            Behaviour::Echoes => ScriptedReply::Text(request.user.clone()),
            Behaviour::Truncates => ScriptedReply::Truncated(request.user.clone()),
            Behaviour::Filters => ScriptedReply::Filtered,
            Behaviour::RepliesBytes(bytes) => ScriptedReply::Text("x".repeat(bytes)),
            Behaviour::Rejects => {
                ScriptedReply::Fails(LanguageModelError::Rejected { status: 401, code: "no".into() })
            }
            Behaviour::RateLimits => {
                ScriptedReply::Fails(LanguageModelError::RateLimited { retry_after: None })
            }
            Behaviour::Hangs => ScriptedReply::Hangs,
        })
    }
}

/// Adapter over scripted servers, which live as long as this.
struct Adapter {
    stream: bool,
    servers: Mutex<Vec<ScriptedModel>>,
}

#[async_trait]
impl Open for Adapter {
    async fn open(&self, behaviour: Behaviour) -> Arc<dyn LanguageModel> {
        let server = ScriptedModel::start(move |request| match behaviour {
            Behaviour::Echoes => Step::reply(request.user()),
            Behaviour::Truncates => Step::truncated(request.user()),
            Behaviour::Filters => Step::filtered(),
            Behaviour::RepliesBytes(bytes) => Step::huge(bytes),
            // Services quote the request.
            Behaviour::Rejects => Step::refusal(400, request.user(), request.user()),
            Behaviour::RateLimits => Step::rate_limited(0),
            Behaviour::Hangs => Step::hang(),
        })
        .await;
        let model = model(&server, json!({ "stream": self.stream, "concurrent_requests": 2 }));
        self.servers.lock().push(server);
        Arc::new(model)
    }
}

#[tokio::test]
async fn the_scripted_model_keeps_the_contract() {
    holds(&Fake).await;
}

#[tokio::test]
async fn the_adapter_keeps_the_contract() {
    holds(&Adapter { stream: false, servers: Mutex::default() }).await;
}

#[tokio::test]
async fn the_streaming_adapter_keeps_the_contract() {
    holds(&Adapter { stream: true, servers: Mutex::default() }).await;
}

#[tokio::test]
async fn a_request_has_everything_a_service_needs() {
    let server = steps([Step::reply("{}"), Step::reply("Lisbon")]).await;
    let first = model(&server, json!({}));
    assert_eq!(first.identity().to_string(), "local/m:1b");
    first.complete(&with_schema()).await.unwrap();
    let second = json!({ "stream": true, "send_temperature": false, "reply_limit": "max_completion_tokens" });
    model(&server, second).complete(&request()).await.unwrap();
    let requests = server.requests();
    let head = &requests[0];
    assert_eq!(head.path, "/v1/chat/completions");
    assert_eq!(head.header("authorization"), Some("Bearer secret-key"));
    assert_eq!(
        (head.system(), head.user(), head.schema_name()),
        ("Be brief.", "Where does Anna live?", "city")
    );
    assert_eq!((&head.body["model"], &head.body["max_tokens"]), (&json!("m:1b"), &json!(50)));
    assert_eq!((&head.body["temperature"], head.wants_stream()), (&json!(0.0), false));
    let body = &requests[1].body;
    assert_eq!((&body["max_completion_tokens"], &body["temperature"]), (&json!(50), &Value::Null));
    assert!(requests[1].wants_stream() && body["response_format"].is_null() && body["max_tokens"].is_null());
}

#[tokio::test]
async fn transient_failures_are_retried_up_to_the_limit() {
    let failures = [Step::rate_limited(0), Step::status(503)];
    let server = steps(failures.into_iter().chain([Step::reply("Lisbon")])).await;
    assert_eq!(model(&server, json!({})).complete(&request()).await.unwrap().text, "Lisbon");
    assert_eq!(server.requests().len(), 3);

    let server = ScriptedModel::start(|_| Step::status(500)).await;
    let error = model(&server, json!({})).complete(&request()).await.unwrap_err();
    assert_eq!(error, LanguageModelError::Unavailable { reason: "status 500".into() });
    assert_eq!(server.requests().len(), 3, "one try and two retries, no secret ones");

    for broken in [Step::drop_connection(), Step::drop_midway("Lisbon is the city")] {
        for stream in [false, true] {
            let server = steps([broken.clone(), Step::reply("Lisbon")]).await;
            let reply = model(&server, json!({ "stream": stream })).complete(&request()).await.unwrap();
            assert_eq!((reply.text.as_str(), server.requests().len()), ("Lisbon", 2));
        }
    }
}

#[tokio::test]
async fn the_wait_that_the_service_asks_for_is_kept() {
    let server = steps([Step::rate_limited(1), Step::reply("Lisbon")]).await;
    let begun = Instant::now();
    model(&server, json!({})).complete(&request()).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(1));

    let server = steps([Step::rate_limited(7)]).await;
    let error = model(&server, json!({ "retries": 0 })).complete(&request()).await.unwrap_err();
    assert_eq!(error, LanguageModelError::RateLimited { retry_after: Some(Duration::from_secs(7)) });
}

#[tokio::test]
async fn refusals_are_final_and_have_the_code_of_the_service() {
    for (status, code) in
        [(400, "invalid_value"), (401, "invalid_api_key"), (404, "model_not_found"), (302, "x")]
    {
        let server = steps([Step::refusal(status, code, "Where does Anna live?")]).await;
        let error = model(&server, json!({})).complete(&request()).await.unwrap_err();
        assert_eq!(error, LanguageModelError::Rejected { status, code: code.into() });
        assert_eq!(server.requests().len(), 1);
    }
    let long =
        Step::refusal(400, "context_length_exceeded", "This model's maximum context length is 8192 tokens");
    let error = model(&steps([long]).await, json!({})).complete(&request()).await.unwrap_err();
    assert_eq!(error, LanguageModelError::TooLong);
}

#[tokio::test]
async fn a_rejected_format_is_replaced_and_the_choice_remembered() {
    let server = ScriptedModel::start(|request| match request.format() {
        "json_schema" | "json_object" => Step::refuses_response_format(),
        _ => Step::reply(r#"{"city":"Lisbon"}"#),
    })
    .await;
    let auto = model(&server, json!({}));
    for _ in 0..2 {
        assert_eq!(auto.complete(&with_schema()).await.unwrap().text, r#"{"city":"Lisbon"}"#);
    }
    let formats: Vec<_> = server.requests().iter().map(|request| request.format().to_owned()).collect();
    assert_eq!(formats, ["json_schema", "json_object", "", ""]);
    let last = &server.requests()[3];
    assert!(
        last.system().contains("JSON schema") && last.system().contains(r#""city""#),
        "{}",
        last.system()
    );

    let fixed = model(&server, json!({ "structured_output": "json_schema" }));
    let error = fixed.complete(&with_schema()).await.unwrap_err();
    assert_eq!((error.code(), server.requests().len()), ("rejected", 5));
}

#[tokio::test]
async fn late_replies_are_timely_errors() {
    let slow = Step::reply("Lisbon").after(Duration::from_secs(30));
    for (step, changes) in [
        (slow, json!({ "timeout_ms": 400 })),
        (Step::hang(), json!({ "timeout_ms": 400, "stream": true })),
        (Step::stall_midway("Lisbon is the city"), json!({ "timeout_ms": 400 })),
        (Step::stall_midway("Lisbon is the city"), json!({ "idle_timeout_ms": 400, "stream": true })),
    ] {
        let server = ScriptedModel::start(move |_| step.clone()).await;
        let begun = Instant::now();
        let error = model(&server, changes).complete(&request()).await.unwrap_err();
        assert_eq!(error, LanguageModelError::Timeout { after: Duration::from_millis(400) });
        assert!(begun.elapsed() < Duration::from_secs(15));
        assert_eq!(server.requests().len(), 3);
    }
    // A stream that goes on is not idle, however long it takes.
    let slow_stream = Step::reply("Lisbon is where she lives").with_pause(Duration::from_millis(60));
    let server = steps([slow_stream]).await;
    let patient = model(&server, json!({ "idle_timeout_ms": 2000, "stream": true }));
    assert_eq!(patient.complete(&request()).await.unwrap().text, "Lisbon is where she lives");
}

#[tokio::test]
async fn unreadable_answers_are_errors() {
    let answers: [(&str, Step); 8] = [
        ("HTML", Step::bytes(200, "text/html", "<html>")),
        ("invalid UTF-8", Step::bytes(200, "application/json", vec![b'"', 0xff, b'"'])),
        ("empty", Step::bytes(200, "application/json", "")),
        ("no choice", Step::bytes(200, "application/json", r#"{"choices":[]}"#)),
        ("wrong type", Step::bytes(200, "application/json", r#"{"choices":[{"message":{"content":7}}]}"#)),
        ("nested", Step::bytes(200, "application/json", "[".repeat(100_000))),
        ("an empty stream", Step::bytes(200, "text/event-stream", "\n\n")),
        ("a stream of HTML", Step::bytes(200, "text/event-stream", "data: <html>\n\n")),
    ];
    for (name, step) in answers {
        for stream in [false, true] {
            let server = steps([step.clone()]).await;
            let changes = json!({ "stream": stream, "retries": 0 });
            let error = model(&server, changes).complete(&request()).await.unwrap_err();
            assert!(matches!(error, LanguageModelError::Unreadable { .. }), "{name}: {error:?}");
        }
    }
    let endless = Step::bytes(200, "application/json", format!("{{\"x\":\"{}", "x".repeat(4 << 20)));
    let error = model(&steps([endless]).await, json!({})).complete(&request()).await.unwrap_err();
    assert_eq!(error, LanguageModelError::TooLarge { bytes_at_most: REPLY_BYTES_AT_MOST });
    // A service that ignores `stream`, and one that streams unasked.
    let whole = r#"{"choices":[{"message":{"content":"Lisbon"},"finish_reason":"stop"}]}"#;
    let streamed = format!("data: {}\n\ndata: [DONE]\n\n", whole.replace("message", "delta"));
    for (content_type, body, stream) in
        [("application/json", whole.to_owned(), true), ("text/event-stream; charset=utf-8", streamed, false)]
    {
        let server = steps([Step::bytes(200, content_type, body)]).await;
        let reply = model(&server, json!({ "stream": stream })).complete(&request()).await.unwrap();
        assert_eq!((reply.text.as_str(), reply.finish), ("Lisbon", Finish::Stop));
    }
}

#[tokio::test]
async fn usage_is_as_reported_unless_it_cannot_be_true() {
    async fn usage(steps: Vec<Step>) -> (Usage, ModelReply) {
        let server = ScriptedModel::start_steps(steps).await;
        let reply =
            model(&server, json!({ "stream": true, "timeout_ms": 1000 })).complete(&request()).await.unwrap();
        (reply.usage, reply)
    }
    let told = json!({ "prompt_tokens": 21, "completion_tokens": 3 });
    let (reported, _) = usage(vec![Step::reply("Lisbon").with_usage(told)]).await;
    assert_eq!(reported, Usage { prompt_tokens: 21, reply_tokens: 3, is_estimate: false });
    let estimate = Usage::estimate(&request(), "Lisbon");
    for lie in [
        Value::Null,
        json!({ "prompt_tokens": 0, "completion_tokens": 0 }),
        json!("free"),
        json!({ "prompt_tokens": 21, "completion_tokens": 4_000_000_000_u64 }),
    ] {
        assert_eq!(usage(vec![Step::reply("Lisbon").with_usage(lie)]).await.0, estimate);
    }
    // The bill of a lost attempt is estimated; a refusal is free.
    let told = json!({ "prompt_tokens": 21, "completion_tokens": 3 });
    let reply = Step::reply("Lisbon").with_usage(told);
    let (sum, _) = usage(vec![Step::hang(), Step::status(503), reply]).await;
    assert_eq!(sum, Usage::estimate(&request(), "").plus(reported));
}

#[tokio::test]
async fn concurrent_requests_are_limited_and_further_calls_wait_or_are_busy() {
    let server = ScriptedModel::start(|_| Step::reply("Lisbon").after(Duration::from_millis(50))).await;
    let limited = model(&server, json!({ "concurrent_requests": 2, "waiting_requests": 6 }));
    let request = request();
    let replies = futures::future::join_all((0..10).map(|_| limited.complete(&request))).await;
    let busy = LanguageModelError::Busy { waiting_at_most: 6 };
    assert_eq!(replies.iter().filter(|reply| reply.as_ref().err() == Some(&busy)).count(), 2);
    assert_eq!((replies.iter().filter(|reply| reply.is_ok()).count(), server.most_open()), (8, 2));
}

#[tokio::test]
async fn a_dropped_call_closes_its_connection() {
    for stream in [false, true] {
        let server = ScriptedModel::start(|_| Step::stall_midway("Lisbon is the city")).await;
        let model = model(&server, json!({ "stream": stream, "concurrent_requests": 1 }));
        let late = tokio::time::timeout(Duration::from_millis(1500), model.complete(&request())).await;
        assert!(late.is_err() && server.requests().len() == 1);
        let begun = Instant::now();
        while server.open() > 0 {
            assert!(begun.elapsed() < Duration::from_secs(5), "the connection is still open");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test]
async fn waits_are_spread_by_the_injected_fraction() {
    let server = ScriptedModel::start(|_| Step::status(503)).await;
    let asked = Arc::new(AtomicUsize::new(0));
    let spread = model(&server, json!({})).with_jitter({
        let asked = Arc::clone(&asked);
        move || {
            asked.fetch_add(1, Ordering::Relaxed);
            f64::NAN
        }
    });
    assert!(spread.complete(&request()).await.is_err());
    assert_eq!(asked.load(Ordering::Relaxed), 2, "once for each wait, and an invalid fraction is no panic");
}

#[test]
fn unusable_settings_are_refused_and_the_key_is_never_shown() {
    let open = |changes| OpenAiModel::new("local", settings("http://localhost/v1".into(), changes));
    let model = open(json!({ "price": { "per_million_prompt_tokens": 0.15 } })).unwrap();
    let shown = format!("{model:?}");
    assert!(!shown.contains("secret-key") && !shown.contains("localhost"), "{shown}");
    assert!((model.price().per_million_prompt_tokens - 0.15).abs() < 1e-12);
    for changes in [
        json!({ "api_key": "two\nlines" }),
        json!({ "base_url": "ftp://localhost" }),
        json!({ "model": "" }),
        json!({ "price": { "per_million_reply_tokens": -1.0 } }),
    ] {
        assert!(matches!(open(changes), Err(ModelError::Unusable { .. })));
    }
}
