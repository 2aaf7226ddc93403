//! Wire format of `/v1/chat/completions`: the request, and the parts of answers that are used.
//!
//! Compatible services differ in the others, and in what they leave out.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::settings::OpenAiModelSettings;
use super::structured::Format;
use crate::model::language_model::{Finish, ModelRequest, Usage};

/// Tokens of a chat template beyond one per byte of the texts, at most.
const TEMPLATE_TOKENS_AT_MOST: u64 = 1024;

/// Body of a request.
pub(super) fn request(request: &ModelRequest, settings: &OpenAiModelSettings, format: Format) -> Value {
    let mut body = Map::new();
    body.insert("model".into(), json!(settings.model));
    body.insert("messages".into(), messages(request, format));
    body.insert(settings.reply_limit.as_str().into(), json!(request.reply_tokens_at_most));
    if settings.send_temperature {
        body.insert("temperature".into(), json!(request.temperature));
    }
    if settings.stream {
        body.insert("stream".into(), json!(true));
        body.insert("stream_options".into(), json!({ "include_usage": true }));
    }
    if let Some(schema) = &request.schema {
        let response_format = match format {
            Format::JsonSchema => Some(json!({
                "type": "json_schema",
                "json_schema": { "name": schema.name, "strict": true, "schema": schema.schema },
            })),
            Format::JsonObject => Some(json!({ "type": "json_object" })),
            Format::None => None,
        };
        body.extend(response_format.map(|format| ("response_format".to_owned(), format)));
    }
    Value::Object(body)
}

fn messages(request: &ModelRequest, format: Format) -> Value {
    let mut system = request.system.clone();
    if let Some(schema) = request.schema.as_ref().filter(|_| format != Format::JsonSchema) {
        // The word JSON must be in a message of mode `json_object`.
        system
            .push_str("\n\nReply with one JSON object and nothing else. It must satisfy this JSON schema:\n");
        system.push_str(&schema.schema.to_string());
    }
    let mut messages = Vec::new();
    if !system.is_empty() {
        messages.push(json!({ "role": "system", "content": system.trim_start() }));
    }
    messages.push(json!({ "role": "user", "content": request.user }));
    for message in &request.further {
        messages.push(json!({ "role": message.role.as_str(), "content": message.text }));
    }
    Value::Array(messages)
}

/// Answer of either form, reduced to what is used. The transport makes it of the bytes, and `async-openai` passes it on.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Completion {
    pub(super) text: String,
    pub(super) finish_reason: Option<String>,
    /// As reported. Of any form, since a wrong count does not make a reply useless.
    pub(super) usage: Value,
}

impl Completion {
    pub(super) fn finish(&self) -> Finish {
        match self.finish_reason.as_deref() {
            Some("stop" | "eos") => Finish::Stop,
            Some("length" | "max_tokens") => Finish::Length,
            Some("content_filter" | "refusal") => Finish::Filtered,
            _ => Finish::Other,
        }
    }

    /// Reported usage where it is plausible, else an estimate: a byte is at most one token.
    pub(super) fn usage(&self, request: &ModelRequest) -> Usage {
        let count = |name: &str| self.usage.get(name).and_then(Value::as_u64);
        let schema_bytes = request.schema.as_ref().map_or(0, |schema| schema.schema.to_string().len());
        let prompt_bytes = request.texts().map(str::len).sum::<usize>() + schema_bytes;
        let prompt_at_most = (prompt_bytes as u64).saturating_add(TEMPLATE_TOKENS_AT_MOST);
        let reply_at_most = u64::from(request.reply_tokens_at_most).max(self.text.len() as u64);
        let reply_at_least = u64::from(!self.text.is_empty());
        match (count("prompt_tokens"), count("completion_tokens")) {
            (Some(prompt_tokens), Some(reply_tokens))
                if (1..=prompt_at_most).contains(&prompt_tokens)
                    && (reply_at_least..=reply_at_most).contains(&reply_tokens) =>
            {
                Usage { prompt_tokens, reply_tokens, is_estimate: false }
            }
            _ => Usage::estimate(request, &self.text),
        }
    }
}

/// Answer that is not streamed, or one event of a stream.
#[derive(Deserialize)]
pub(super) struct Answer {
    #[serde(default)]
    choices: Vec<Choice>,
    #[serde(default)]
    usage: Value,
    /// Error within a stream, which has status 200 already.
    #[serde(default)]
    pub(super) error: Value,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    index: u64,
    /// `message`, or `delta` in a stream.
    #[serde(alias = "delta", default)]
    message: Part,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Default, Deserialize)]
struct Part {
    #[serde(default)]
    content: Option<String>,
    /// Reason for which a model of OpenAI declined, instead of a content.
    #[serde(default)]
    refusal: Option<String>,
}

impl Answer {
    pub(super) fn has_choice(&self) -> bool {
        !self.choices.is_empty()
    }

    /// Adds this part to a completion.
    pub(super) fn add_to(self, whole: &mut Completion) {
        if self.usage.is_object() {
            whole.usage = self.usage;
        }
        for choice in self.choices.into_iter().filter(|choice| choice.index == 0) {
            whole.text.push_str(&choice.message.content.unwrap_or_default());
            if choice.finish_reason.is_some() {
                whole.finish_reason = choice.finish_reason;
            }
            if choice.message.refusal.is_some_and(|refusal| !refusal.is_empty()) {
                whole.finish_reason = Some("refusal".to_owned());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completion(usage: Value) -> Completion {
        Completion { text: "hello".into(), finish_reason: None, usage }
    }

    #[test]
    fn implausible_counts_are_replaced_by_estimates() {
        let request = ModelRequest::new("system", "user", 50);
        let usage = |prompt: Value, reply: Value| {
            completion(json!({ "prompt_tokens": prompt, "completion_tokens": reply })).usage(&request)
        };
        let told = usage(json!(12), json!(50));
        assert_eq!(told, Usage { prompt_tokens: 12, reply_tokens: 50, is_estimate: false });
        let estimate = Usage::estimate(&request, "hello");
        for lie in [
            usage(json!(0), json!(1)),
            usage(json!(12), json!(0)),
            usage(json!(-1), json!(1)),
            usage(json!(1e18), json!(1)),
            usage(json!(u64::MAX), json!(1)),
            usage(json!(12), json!(51)),
            usage(json!("12"), json!(1)),
            completion(Value::Null).usage(&request),
        ] {
            assert_eq!(lie, estimate);
        }
    }

    #[test]
    fn finish_reasons_of_all_services_are_known() {
        let finish = |reason: Option<&str>| {
            Completion { finish_reason: reason.map(str::to_owned), ..Completion::default() }.finish()
        };
        assert_eq!(finish(Some("stop")), Finish::Stop);
        assert_eq!(finish(Some("length")), Finish::Length);
        assert_eq!(finish(Some("content_filter")), Finish::Filtered);
        assert_eq!((finish(Some("tool_calls")), finish(None)), (Finish::Other, Finish::Other));
    }
}
