//! Query and passage prefixes by model family, which `fastembed` does not know.
//!
//! A missing prefix raises no error and only reduces recall. The texts are those of the authors' model cards, trailing
//! space included. Invariant: a repository without a row gets no prefix.

/// Substring of a repository's name that identifies the family, in lower case; query prefix; passage prefix. The first
/// match decides.
const FAMILIES: &[(&str, &str, &str)] = &[
    // huggingface.co/intfloat/multilingual-e5-small: "Each input text should start with "query: " or "passage: "".
    ("-e5-", "query: ", "passage: "),
    // github.com/FlagOpen/FlagEmbedding, model list: no instruction for bge-m3; for the English and Chinese models
    // before queries only.
    ("bge-m3", "", ""),
    ("bge-small-zh", BGE_ZH, ""),
    ("bge-large-zh", BGE_ZH, ""),
    ("bge-small-en", SEARCHING, ""),
    ("bge-base-en", SEARCHING, ""),
    ("bge-large-en", SEARCHING, ""),
    // huggingface.co/mixedbread-ai/mxbai-embed-large-v1, "Quickstart".
    ("mxbai-embed-large", SEARCHING, ""),
    // huggingface.co/Snowflake/snowflake-arctic-embed-m, "Usage": query_prefix.
    ("snowflake-arctic-embed", SEARCHING, ""),
    // huggingface.co/nomic-ai/nomic-embed-text-v1.5, "Task instruction prefixes"; modernbert-embed was trained alike.
    ("nomic-embed-text", "search_query: ", "search_document: "),
    ("modernbert-embed", "search_query: ", "search_document: "),
    // huggingface.co/google/embeddinggemma-300m, "Prompt Instructions": retrieval.
    ("embeddinggemma", "task: search result | query: ", "title: none | text: "),
];

const SEARCHING: &str = "Represent this sentence for searching relevant passages: ";
const BGE_ZH: &str = "为这个句子生成表示以用于检索相关文章：";

/// Query prefix and passage prefix for the embedder in this repository.
pub(super) fn of(repository: &str) -> (&'static str, &'static str) {
    let repository = repository.to_lowercase();
    FAMILIES
        .iter()
        .find(|(family, ..)| repository.contains(family))
        .map_or(("", ""), |(_, query, passage)| (query, passage))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::catalogue::{Task, catalogue};
    use crate::model::supported::supported;

    #[test]
    fn each_family_has_its_own_prefixes() {
        assert_eq!(of("Qdrant/multilingual-e5-large-onnx"), ("query: ", "passage: "));
        assert_eq!(of("BAAI/bge-m3"), ("", ""));
        assert_eq!(of("Xenova/bge-small-zh-v1.5").0, BGE_ZH);
        assert_eq!(of("Snowflake/snowflake-arctic-embed-m"), (SEARCHING, ""));
        assert_eq!(of("jinaai/jina-embeddings-v2-base-en"), ("", ""));
    }

    #[test]
    fn every_family_can_be_fetched_and_agrees_with_the_catalogue() {
        for (family, ..) in FAMILIES {
            let known = supported().iter().any(|model| model.repository.to_lowercase().contains(family));
            assert!(known, "{family}");
        }
        for entry in catalogue().unwrap().models.iter().filter(|entry| entry.task == Task::Embed) {
            assert_eq!(of(&entry.name), (entry.query_prefix.as_str(), entry.passage_prefix.as_str()));
        }
    }
}
