//! Contract of the digest of a session with a language model: the schema of a reply and its parser. Pure.
//!
//! A reply names turns by the handles of its prompt and nothing else. A reply that breaks a rule is refused whole, with a stable
//! code.

use serde::Deserialize;
use serde_json::{Value, json};

use super::draft::{Draft, DraftSentence};
use crate::model::language_model::ask::{BadReply, Contract};

/// Name and version of the prompt, as derivations record them.
pub(super) const VERSION: &str = "session.v1";
/// Instructions of the prompt.
pub(super) const INSTRUCTIONS: &str = include_str!("prompts/session.v1.md");
/// Maximum number of sentences in one reply.
pub(super) const SENTENCES_AT_MOST: usize = 12;
/// Maximum length of a sentence, in bytes.
pub(super) const SENTENCE_BYTES_AT_MOST: usize = 480;

/// Contract for this number of turns, whose handles are `t1`, `t2`, ...
#[derive(Debug)]
pub(super) struct SessionContract {
    pub(super) turns: usize,
}

#[derive(Debug, Deserialize)]
struct Reply {
    sentences: Vec<ReplySentence>,
}

#[derive(Debug, Deserialize)]
struct ReplySentence {
    text: String,
    turns: Vec<String>,
}

impl Contract for SessionContract {
    type Reply = Draft;

    fn name(&self) -> &'static str {
        "session"
    }

    fn prompt_version(&self) -> &'static str {
        VERSION
    }

    fn schema(&self) -> Value {
        json!({
            "type": "object",
            "additionalProperties": false,
            "required": ["sentences"],
            "properties": {"sentences": {"type": "array", "items": {
                "type": "object",
                "additionalProperties": false,
                "required": ["text", "turns"],
                "properties": {
                    "text": {"type": "string"},
                    "turns": {"type": "array", "items": {"type": "string"}},
                },
            }}},
        })
    }

    fn parse(&self, json: Value) -> Result<Draft, BadReply> {
        let reply: Reply = serde_json::from_value(json).map_err(|error| {
            let is_missing = error.to_string().starts_with("missing field");
            let code = if is_missing { BadReply::MISSING_FIELD } else { BadReply::WRONG_TYPE };
            BadReply::new(code, "the reply is one object with sentences, each with text and turns")
        })?;
        if reply.sentences.len() > SENTENCES_AT_MOST {
            return Err(BadReply::new(BadReply::OVER_LIMIT, "there are too many sentences: write at most 8"));
        }
        let sentences = reply.sentences.iter().map(|sentence| self.sentence(sentence));
        Ok(Draft { sentences: sentences.collect::<Result<_, _>>()? })
    }
}

impl SessionContract {
    fn sentence(&self, sentence: &ReplySentence) -> Result<DraftSentence, BadReply> {
        let text = sentence.text.trim();
        if text.is_empty() {
            return Err(BadReply::new(BadReply::MISSING_FIELD, "a text must not be empty"));
        }
        if text.len() > SENTENCE_BYTES_AT_MOST {
            let detail = "a text is too long: one sentence of at most 40 words";
            return Err(BadReply::new(BadReply::OVER_LIMIT, detail));
        }
        if text.chars().any(char::is_control) {
            return Err(BadReply::new(BadReply::WRONG_TYPE, "a text has control characters"));
        }
        let mut evidence = Vec::new();
        for handle in &sentence.turns {
            let number = handle.strip_prefix('t').filter(|digits| !digits.starts_with('+'));
            let position = number.and_then(|digits| digits.parse::<usize>().ok()?.checked_sub(1));
            let position = position.filter(|position| *position < self.turns).ok_or_else(|| {
                BadReply::new(BadReply::UNKNOWN_HANDLE, "turns names a handle that is not there")
            })?;
            evidence.push(position);
        }
        evidence.sort_unstable();
        evidence.dedup();
        if evidence.is_empty() {
            return Err(BadReply::new(BadReply::MISSING_FIELD, "turns must name the turns of its sentence"));
        }
        Ok(DraftSentence { text: text.to_owned(), evidence })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CONTRACT: SessionContract = SessionContract { turns: 3 };

    fn code(reply: Value) -> &'static str {
        CONTRACT.parse(reply).expect_err("refused").code
    }

    #[test]
    fn a_reply_names_the_turns_of_each_sentence() {
        let reply = json!({"sentences": [{"text": " Ann moves. ", "turns": ["t3", "t1", "t3"]}]});
        let draft = CONTRACT.parse(reply).expect("accepted");
        assert_eq!(draft.sentences, [DraftSentence { text: "Ann moves.".to_owned(), evidence: vec![0, 2] }]);
        assert!(CONTRACT.parse(json!({"sentences": []})).expect("accepted").sentences.is_empty());
    }

    #[test]
    fn a_reply_that_breaks_a_rule_is_refused_whole() {
        let one = |text: &str, turns: &[&str]| json!({"sentences": [{"text": "Fine.", "turns": ["t1"]}, {"text": text, "turns": turns}]});
        assert_eq!(code(one("Ann moves.", &["t4"])), "unknown_handle");
        assert_eq!(code(one("Ann moves.", &["t+1"])), "unknown_handle");
        assert_eq!(code(one("Ann moves.", &["t0"])), "unknown_handle");
        assert_eq!(code(one("Ann moves.", &[])), "missing_field");
        assert_eq!(code(one(" ", &["t1"])), "missing_field");
        assert_eq!(code(one("a\nb", &["t1"])), "wrong_type");
        assert_eq!(code(one(&"a".repeat(481), &["t1"])), "over_limit");
        assert_eq!(code(json!({"sentence": []})), "missing_field");
        assert_eq!(code(json!({"sentences": "none"})), "wrong_type");
        let many = vec![json!({"text": "Fine.", "turns": ["t1"]}); 13];
        assert_eq!(code(json!({ "sentences": many })), "over_limit");
    }

    proptest! {
        #[test]
        fn no_reply_makes_the_parser_panic_or_name_other_turns(
            texts in proptest::collection::vec((any::<String>(), proptest::collection::vec("t?[0-9+-]{0,4}", 0..4)), 0..14)
        ) {
            let sentences: Vec<Value> =
                texts.iter().map(|(text, turns)| json!({"text": text, "turns": turns})).collect();
            if let Ok(draft) = CONTRACT.parse(json!({ "sentences": sentences })) {
                prop_assert!(draft.sentences.iter().all(|one| !one.evidence.is_empty()));
                prop_assert!(draft.sentences.iter().flat_map(|one| &one.evidence).all(|turn| *turn < 3));
            }
        }
    }
}
