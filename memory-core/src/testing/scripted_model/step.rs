//! Steps of a script: how the server answers one request.

use std::time::Duration;

use serde_json::{Value, json};

/// Answer to one request.
#[derive(Clone, Debug)]
pub struct Step {
    pub(super) after: Duration,
    pub(super) kind: Kind,
}

/// Kinds of answers.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    /// Completion, streamed if the request demands it.
    Reply { text: String, finish: Option<&'static str>, usage: Value, pause: Duration },
    /// Bytes of any kind.
    Bytes { status: u16, headers: Vec<(String, String)>, body: Vec<u8> },
    /// No byte, ever.
    Hang,
    /// End of the connection before any byte.
    Drop,
    /// Half of a completion, then the end of the connection.
    DropMidway(String),
    /// Half of a completion, then no further byte.
    StallMidway(String),
}

impl Step {
    /// Complete reply, with a plausible usage of one token per four bytes.
    pub fn reply(text: impl Into<String>) -> Self {
        Self::finished(text.into(), Some("stop"))
    }

    /// Complete reply of this JSON.
    pub fn json(reply: &Value) -> Self {
        Self::reply(reply.to_string())
    }

    /// Reply that ends at the limit of tokens.
    pub fn truncated(text: impl Into<String>) -> Self {
        Self::finished(text.into(), Some("length"))
    }

    /// Reply that was withheld.
    pub fn filtered() -> Self {
        Self::finished(String::new(), Some("content_filter"))
    }

    /// Reply of `bytes` times the letter x.
    pub fn huge(bytes: usize) -> Self {
        Self::reply("x".repeat(bytes))
    }

    /// The same reply with this `usage` object, or none for null: a server that lies about its costs.
    #[must_use]
    pub fn with_usage(mut self, reported: Value) -> Self {
        if let Kind::Reply { usage, .. } = &mut self.kind {
            *usage = reported;
        }
        self
    }

    /// The same reply with this pause before each event, if it is streamed.
    #[must_use]
    pub fn with_pause(mut self, between: Duration) -> Self {
        if let Kind::Reply { pause, .. } = &mut self.kind {
            *pause = between;
        }
        self
    }

    /// The same step, this much later.
    #[must_use]
    pub fn after(mut self, wait: Duration) -> Self {
        self.after = wait;
        self
    }

    /// Refusal with an error of this status.
    pub fn status(status: u16) -> Self {
        Self::refusal(status, "scripted", "as the script says")
    }

    /// Refusal with an error of this status, code and message.
    pub fn refusal(status: u16, code: &str, message: &str) -> Self {
        let body = json!({ "error": { "code": code, "message": message, "type": "scripted" } });
        Self::bytes(status, "application/json", body.to_string())
    }

    /// Status 429 with a `Retry-After`.
    pub fn rate_limited(retry_after_s: u64) -> Self {
        let mut step = Self::refusal(429, "rate_limit_exceeded", "slow down");
        if let Kind::Bytes { headers, .. } = &mut step.kind {
            headers.push(("retry-after".to_owned(), retry_after_s.to_string()));
        }
        step
    }

    /// Refusal of a `response_format`, as services without structured output answer.
    pub fn refuses_response_format() -> Self {
        Self::refusal(400, "invalid_request_error", "'response_format.type' must be 'text'")
    }

    /// Answer of this status, content type and body.
    pub fn bytes(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        Kind::Bytes { status, headers, body: body.into() }.into()
    }

    /// No answer, ever.
    pub fn hang() -> Self {
        Kind::Hang.into()
    }

    /// End of the connection without an answer.
    pub fn drop_connection() -> Self {
        Kind::Drop.into()
    }

    /// End of the connection within the answer.
    pub fn drop_midway(text: impl Into<String>) -> Self {
        Kind::DropMidway(text.into()).into()
    }

    /// No further byte after the first half of the answer.
    pub fn stall_midway(text: impl Into<String>) -> Self {
        Kind::StallMidway(text.into()).into()
    }

    fn finished(text: String, finish: Option<&'static str>) -> Self {
        let reply_tokens = text.len().div_ceil(4);
        let usage = json!({ "prompt_tokens": 10, "completion_tokens": reply_tokens,
            "total_tokens": 10 + reply_tokens });
        Kind::Reply { text, finish, usage, pause: Duration::ZERO }.into()
    }
}

impl From<Kind> for Step {
    fn from(kind: Kind) -> Self {
        Self { after: Duration::ZERO, kind }
    }
}
