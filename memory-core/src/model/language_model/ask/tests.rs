//! Tests of `ask`: what is refused, retried and billed, and mutated replies.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::model::language_model::scripted::{ScriptedLanguageModel, ScriptedReply};

/// Contract: at most three edits of the handles `m1` and `m2`.
struct Edits;

impl Contract for Edits {
    type Reply = Vec<String>;

    fn name(&self) -> &'static str {
        "edits"
    }

    fn prompt_version(&self) -> &'static str {
        "1"
    }

    fn schema(&self) -> Value {
        json!({ "type": "object", "properties": { "keep": { "type": "array", "items": { "type": "string" } } } })
    }

    fn parse(&self, json: Value) -> Result<Self::Reply, BadReply> {
        let keep =
            json.get("keep").ok_or_else(|| BadReply::new(BadReply::MISSING_FIELD, "no field `keep`"))?;
        let keep: Vec<String> = serde_json::from_value(keep.clone())
            .map_err(|_| BadReply::new(BadReply::WRONG_TYPE, "`keep` is not a list of handles"))?;
        if keep.len() > 3 {
            return Err(BadReply::new(BadReply::OVER_LIMIT, "more than 3 handles"));
        }
        match keep.iter().find(|handle| !["m1", "m2"].contains(&handle.as_str())) {
            Some(unknown) => Err(BadReply::new(BadReply::UNKNOWN_HANDLE, format!("no handle `{unknown}`"))),
            None => Ok(keep),
        }
    }
}

async fn ask_of(model: &Arc<ScriptedLanguageModel>) -> Result<Asked<Vec<String>>, AskError> {
    let prompt = Prompt { system: "Choose.".into(), user: "m1, m2".into() };
    ask(&**model, &Edits, prompt, AskLimits::tokens(100)).await
}

fn text(text: &str) -> ScriptedReply {
    text.into()
}

#[tokio::test]
async fn a_valid_reply_is_accepted_at_once() {
    let model = ScriptedLanguageModel::steps(["```json\n{\"keep\":[\"m1\"],}\n```"]);
    let asked = ask_of(&model).await.unwrap();
    assert_eq!((asked.reply, asked.calls, asked.refused), (vec!["m1".to_owned()], 1, vec![]));
    let request = &model.requests()[0];
    assert_eq!(request.schema.as_ref().unwrap().name, "edits");
    assert!(request.further.is_empty() && request.temperature == 0.0 && request.reply_tokens_at_most == 100);
}

#[tokio::test]
async fn a_refused_reply_is_asked_for_again_with_the_violation_named() {
    let model = ScriptedLanguageModel::steps([r#"{"keep":["m9"]}"#, "", r#"{"keep":["m2"]}"#]);
    let asked = ask_of(&model).await.unwrap();
    assert_eq!(asked.reply, ["m2"]);
    assert_eq!(asked.refused, [BadReply::UNKNOWN_HANDLE, BadReply::NOT_JSON]);
    let requests = model.requests();
    let usage = requests.iter().zip([r#"{"keep":["m9"]}"#, "", r#"{"keep":["m2"]}"#]);
    let expected = usage.map(|(request, reply)| Usage::estimate(request, reply)).reduce(Usage::plus);
    assert_eq!((Some(asked.usage), asked.calls), (expected, 3));
    let second = &requests[1].further;
    assert_eq!(second[0], Message { role: MessageRole::Assistant, text: r#"{"keep":["m9"]}"#.into() });
    assert!(second[1].text.contains("unknown_handle") && second[1].text.contains("no handle `m9`"));
    // Only the last violation, so that prompts stay bounded, and no empty message.
    assert_eq!((requests[2].further.len(), requests[2].further[0].text.as_str()), (2, "(no reply)"));
    assert_eq!(model.forgotten(), 2, "a cache must not return a refused reply again");
}

#[tokio::test]
async fn after_two_retries_the_question_is_refused() {
    let replies = [
        ScriptedReply::Truncated(r#"{"keep":["m1"]}"#.into()),
        text(r#"{"keep":["m1","m1","m1","m1"]}"#),
        ScriptedReply::Filtered,
        text(r#"{"keep":["m1"]}"#),
    ];
    let model = ScriptedLanguageModel::steps(replies);
    let error = ask_of(&model).await.unwrap_err();
    assert_eq!(error.refused(), [BadReply::TRUNCATED, BadReply::OVER_LIMIT, BadReply::FILTERED]);
    assert_eq!((error.calls(), error.code(), error.is_retryable()), (3, "reply_refused", false));
    assert!(error.usage().prompt_tokens > 0);
    assert!(!error.to_string().contains("m1"), "{error}");
}

#[tokio::test]
async fn a_megabyte_is_refused_as_too_large_and_billed_at_its_limit() {
    let model = ScriptedLanguageModel::steps(["x".repeat(1 << 20), r#"{"keep":[]}"#.to_owned()]);
    let asked = ask_of(&model).await.unwrap();
    assert_eq!((asked.refused.as_slice(), asked.calls), (&[BadReply::TOO_LARGE][..], 2));
    assert!(asked.usage.reply_tokens >= 100 && asked.usage.is_estimate);
}

#[tokio::test]
async fn a_failure_of_the_model_ends_the_question_with_what_was_billed() {
    let limited = LanguageModelError::RateLimited { retry_after: None };
    let model = ScriptedLanguageModel::steps([text("no"), ScriptedReply::Fails(limited.clone())]);
    let error = ask_of(&model).await.unwrap_err();
    let billed = Usage::estimate(&model.requests()[0], "no");
    let refused = vec![BadReply::NOT_JSON];
    assert_eq!(error, AskError::Model { error: limited, refused, usage: billed, calls: 2 });
    assert!(error.is_retryable() && error.code() == "rate_limited");

    let late = LanguageModelError::Timeout { after: Duration::from_secs(1) };
    let model = ScriptedLanguageModel::steps([ScriptedReply::Fails(late)]);
    let usage = ask_of(&model).await.unwrap_err().usage();
    assert_eq!(usage, Usage::estimate(&model.requests()[0], ""), "a reply that came too late may be billed");
}

#[tokio::test]
async fn a_long_refused_reply_is_shown_to_the_model_in_part() {
    let model = ScriptedLanguageModel::steps(["ä".repeat(100_000), r#"{"keep":[]}"#.to_owned()]);
    ask_of(&model).await.unwrap();
    let shown = &model.requests()[1].further[0].text;
    assert!(shown.len() <= SHOWN_REPLY_BYTES_AT_MOST && shown.len() > SHOWN_REPLY_BYTES_AT_MOST / 2);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn mutated_replies_are_accepted_by_the_contract_or_refused_within_bounds(
        flips in prop::collection::vec((any::<usize>(), 0u8..8), 0..4),
        cut in any::<usize>(), shall_cut in any::<bool>(), copies in 1usize..3,
    ) {
        let mut bytes = br#"{"keep":["m1","m2"],"note":"on 1e5 \" {x} \u00e4"}"#.repeat(copies);
        for (at, bit) in flips {
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
        }
        if shall_cut {
            bytes.truncate(cut % bytes.len());
        }
        let reply = String::from_utf8_lossy(&bytes).into_owned();
        let model = ScriptedLanguageModel::new(move |_| reply.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        match runtime.block_on(ask_of(&model)) {
            Ok(asked) => prop_assert!(asked.reply.iter().all(|handle| handle == "m1" || handle == "m2")),
            Err(error) => prop_assert_eq!((error.calls(), error.code()), (3, "reply_refused")),
        }
    }
}
