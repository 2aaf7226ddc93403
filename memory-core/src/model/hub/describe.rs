//! Model metadata from a repository's own JSON files: input length and padding token.
//!
//! Pure. Invariant: for missing files or senseless values it returns defaults that are right for most models of the
//! list; nothing here fails.

use serde_json::Value;

/// Maximum input length of a fetched model, in tokens: the limit that `fastembed` applies to every model and that the
/// memory for attention, which is quadratic in it, allows. Users can raise `max_tokens` in the model's `model.json`.
const MAX_TOKENS: usize = 512;
/// Padding token of BERT and its relatives.
const BERT_PAD: &str = "[PAD]";

/// Small files of a repository; null for a file that is missing or not JSON.
#[derive(Debug, Default)]
pub(super) struct SmallFiles {
    pub(super) config: Value,
    pub(super) tokenizer_config: Value,
    pub(super) special_tokens_map: Value,
}

impl SmallFiles {
    /// Maximum input length in tokens.
    pub(super) fn max_tokens(&self) -> usize {
        // Some files have 1e30 for "no limit".
        let configured = self.tokenizer_config["model_max_length"].as_f64();
        let positions = [&self.config, &self.config["text_config"]]
            .into_iter()
            .find_map(|config| config["max_position_embeddings"].as_f64());
        [configured, positions]
            .into_iter()
            .flatten()
            .filter(|tokens| *tokens >= 1.0)
            .fold(MAX_TOKENS, |least, tokens| least.min(tokens as usize)) // saturates
    }

    /// Padding token.
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
    fn the_smallest_input_length_in_any_file_is_used() {
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
    fn the_padding_token_is_a_string_or_an_object_with_one() {
        let pad = |tokenizer, special| files(Value::Null, tokenizer, special).pad_token();
        assert_eq!(pad(json!({"pad_token": "<pad>"}), json!({"pad_token": "x"})), "<pad>");
        assert_eq!(pad(json!({"pad_token": {"content": "<pad>"}}), Value::Null), "<pad>");
        assert_eq!(pad(json!({"pad_token": null}), json!({"pad_token": {"content": "<pad>"}})), "<pad>");
        assert_eq!(pad(Value::Null, json!("no map")), "[PAD]");
    }
}
