//! Contract tests of [`LanguageModel`], as functions that the tests of each implementation call.
//!
//! One contract makes the scripted model of the tests and the real ones interchangeable. The functions panic with a
//! message when the contract is violated.

#![expect(clippy::unwrap_used, reason = "a broken contract is a panic")]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::model::language_model::{
    Finish, LanguageModel, LanguageModelError, ModelRequest, REPLY_BYTES_AT_MOST, ReplySchema,
};

/// Part of a prompt by which leaks of it are found.
const SECRET: &str = "the secret of the prompt";

/// Behaviour of the back end under the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Replies with the user message.
    Echoes,
    /// Replies with the user message, at the limit of tokens.
    Truncates,
    /// Withholds its reply.
    Filters,
    /// Replies with this many bytes.
    RepliesBytes(usize),
    /// Refuses the request for good.
    Rejects,
    /// Refuses the request for now, whenever it is asked.
    RateLimits,
    /// Never replies.
    Hangs,
}

/// Constructor of the model under test over a back end of this behaviour. A model that hangs has a time-out of less than
/// ten seconds, if it has one.
#[async_trait]
pub trait Open: Sync {
    /// Opens a model.
    async fn open(&self, behaviour: Behaviour) -> Arc<dyn LanguageModel>;
}

/// Runs the contract.
pub async fn holds(open: &dyn Open) {
    texts_come_back_unchanged_and_billed(open).await;
    the_end_of_a_reply_is_told(open).await;
    replies_are_bounded(open).await;
    errors_are_typed_and_silent(open).await;
    concurrent_calls_get_their_own_replies(open).await;
    a_dropped_call_frees_the_model(open).await;
}

fn request(user: &str) -> ModelRequest {
    ModelRequest::new("Repeat what you are told.", user, 1000)
}

async fn texts_come_back_unchanged_and_billed(open: &dyn Open) {
    let model = open.open(Behaviour::Echoes).await;
    let identity = model.identity();
    assert!(!identity.backend.is_empty() && !identity.model.is_empty(), "{identity}");
    for text in [
        "Lisbon",
        " \n\t ",
        "日本語 🚲 \u{0301}",
        "a \"quoted\" \\ line\r\ndata: [DONE]\n\n",
        &"é".repeat(9_999),
    ] {
        let reply = model.complete(&request(text)).await.unwrap();
        assert_eq!((reply.text.as_str(), reply.finish, reply.from_cache), (text, Finish::Stop, false));
        assert!(reply.usage.prompt_tokens > 0 && reply.usage.reply_tokens > 0, "{:?}", reply.usage);
    }
    let schema = ReplySchema { name: "any".into(), schema: serde_json::json!({ "type": "object" }) };
    let reply = model.complete(&ModelRequest { schema: Some(schema), ..request("{}") }).await.unwrap();
    assert_eq!(reply.text, "{}");
}

async fn the_end_of_a_reply_is_told(open: &dyn Open) {
    let reply = open.open(Behaviour::Truncates).await.complete(&request("half")).await.unwrap();
    assert_eq!((reply.text.as_str(), reply.finish), ("half", Finish::Length));
    let reply = open.open(Behaviour::Filters).await.complete(&request("bad")).await.unwrap();
    assert_eq!(reply.finish, Finish::Filtered);
}

async fn replies_are_bounded(open: &dyn Open) {
    let most = open.open(Behaviour::RepliesBytes(REPLY_BYTES_AT_MOST)).await;
    assert_eq!(most.complete(&request("")).await.unwrap().text.len(), REPLY_BYTES_AT_MOST);
    for bytes in [REPLY_BYTES_AT_MOST + 1, 8 << 20] {
        let error = open.open(Behaviour::RepliesBytes(bytes)).await.complete(&request("")).await.unwrap_err();
        assert_eq!(error, LanguageModelError::TooLarge { bytes_at_most: REPLY_BYTES_AT_MOST });
    }
}

async fn errors_are_typed_and_silent(open: &dyn Open) {
    for (behaviour, code, is_retryable) in
        [(Behaviour::Rejects, "rejected", false), (Behaviour::RateLimits, "rate_limited", true)]
    {
        let model = open.open(behaviour).await;
        let error = model.complete(&request(SECRET)).await.unwrap_err();
        assert_eq!((error.code(), error.is_retryable()), (code, is_retryable), "{error:?}");
        let shown = format!("{error} {error:?} {model:?}");
        assert!(!shown.contains(SECRET), "the prompt is in {shown}");
    }
}

async fn concurrent_calls_get_their_own_replies(open: &dyn Open) {
    let model = open.open(Behaviour::Echoes).await;
    let calls = (0..20).map(|number| {
        let model = Arc::clone(&model);
        async move { (number, model.complete(&request(&format!("number {number}"))).await.unwrap().text) }
    });
    for (number, text) in futures::future::join_all(calls).await {
        assert_eq!(text, format!("number {number}"));
    }
}

async fn a_dropped_call_frees_the_model(open: &dyn Open) {
    let model = open.open(Behaviour::Hangs).await;
    // More calls than any implementation runs at one time: a place that is not freed would be missed.
    for _ in 0..64 {
        let late = tokio::time::timeout(Duration::from_millis(5), model.complete(&request("never"))).await;
        assert!(!matches!(late, Ok(Ok(_))), "a reply came from nowhere");
        assert!(!matches!(late, Ok(Err(LanguageModelError::Busy { .. }))), "a dropped call keeps its place");
    }
}
