//! What a model's own files say about its use: how many tokens it reads, which token fills up a batch.
//!
//! Pure: bytes in, values out. Invariant: files that are missing, or that say nothing sensible, give defaults that are
//! right for most models of the list; nothing here fails.

use serde_json::Value;

/// The most tokens that a fetched model reads at once: what `fastembed` gives every model, and what the memory for
/// attention, which grows with the square, allows. Whoever wants more edits `max_tokens` in the model's `model.json`.
const MAX_TOKENS: usize = 512;
/// The padding token of BERT and its kin.
const BERT_PAD: &str = "[PAD]";

/// The small files of a repository, each as far as there is one and it is JSON.
#[derive(Debug, Default)]
pub(super) struct SmallFiles {
    pub(super) config: Value,
    pub(super) tokenizer_config: Value,
    pub(super) special_tokens_map: Value,
}

impl SmallFiles {
    /// Tokens that the model reads at once.
    pub(super) fn max_tokens(&self) -> usize {
        // Some have 1e30 there, for "no limit".
        let said = self.tokenizer_config["model_max_length"].as_f64();
        let positions = [&self.config, &self.config["text_config"]]
            .into_iter()
            .find_map(|config| config["max_position_embeddings"].as_f64());
        [said, positions]
            .into_iter()
            .flatten()
            .filter(|tokens| *tokens >= 1.0)
            .fold(MAX_TOKENS, |least, tokens| least.min(tokens as usize)) // saturates
    }

    /// The token that fills up a batch.
    pub(super) fn pad_token(&self) -> String {
        [&self.tokenizer_config, &self.special_tokens_map]
            .into_iter()
            .map(|file| &file["pad_token"])
            .find_map(|token| token.as_str().or_else(|| token["content"].as_str()))
            .unwrap_or(BERT_PAD)
            .to_owned()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn files(config: Value, tokenizer_config: Value, special_tokens_map: Value) -> SmallFiles {
        SmallFiles { config, tokenizer_config, special_tokens_map }
    }

    #[test]
    fn the_fewest_tokens_that_any_file_says_count() {
        let tokens = |config, tokenizer| files(config, tokenizer, Value::Null).max_tokens();
        assert_eq!(tokens(json!({"max_position_embeddings": 512}), json!({"model_max_length": 256})), 256);
        assert_eq!(tokens(json!({"max_position_embeddings": 128}), json!({"model_max_length": 1e30})), 128);
        assert_eq!(tokens(json!({"max_position_embeddings": 8194}), json!({"model_max_length": 8192})), 512);
        assert_eq!(tokens(json!({"text_config": {"max_position_embeddings": 77}}), Value::Null), 77);
        assert_eq!(tokens(Value::Null, json!({"model_max_length": 1e30})), 512);
        assert_eq!(tokens(json!([]), json!({"model_max_length": "many"})), 512);
        assert_eq!(tokens(json!({"max_position_embeddings": -1}), json!({"model_max_length": 0})), 512);
    }

    #[test]
    fn the_padding_token_is_a_text_or_has_one() {
        let pad = |tokenizer, special| files(Value::Null, tokenizer, special).pad_token();
        assert_eq!(pad(json!({"pad_token": "<pad>"}), json!({"pad_token": "x"})), "<pad>");
        assert_eq!(pad(json!({"pad_token": {"content": "<pad>"}}), Value::Null), "<pad>");
        assert_eq!(pad(json!({"pad_token": null}), json!({"pad_token": {"content": "<pad>"}})), "<pad>");
        assert_eq!(pad(Value::Null, json!("no map")), "[PAD]");
    }
}
