//! Text processing: terms for lexical search, tokens for budgets, and spans for embedding.
//!
//! Every index back end matches words in the same way: [`Tokenizer`] maps a document to a [`TermVector`] and a query to
//! [`QueryTerms`], both of stable 32-bit term hashes, and nothing downstream reads characters again. Invariant: the
//! result for a text depends on the text and on [`Tokenizer::IDENTITY`] only, never on the platform, the clock or
//! earlier calls.

mod chunk;
mod chunk_pieces;
mod detect;
mod encoding;
mod entity;
mod function_words;
mod keyphrases;
mod language;
mod named_people;
mod query_terms;
mod script;
mod segment;
mod sentences;
mod term;
mod term_vector;
pub mod time_expressions;
mod tokenizer;
mod tokens;
pub(crate) mod varint;

#[cfg(test)]
mod golden;

pub use chunk::{ChunkLimits, TextSpan, split_text};
pub use encoding::TermVectorError;
pub(crate) use entity::entity_key;
pub use keyphrases::keyphrases;
pub use language::Language;
pub(crate) use named_people::NamedPeople;
pub use query_terms::{QueryTerms, QueryWord};
pub use sentences::{
    MAX_FIRST_PERSON_SENTENCES, STATEMENT_BYTES, first_person_sentences, is_first_person_statement, sentences,
};
pub use term_vector::{Term, TermVector};
pub use tokenizer::Tokenizer;
pub use tokens::TokenCounter;
pub(crate) use tokens::{count_tokens, has_single_blanks_only};

/// Builds what the first text of a process would build: the vocabulary of tokens and the function words.
pub(crate) fn load_tables() {
    let text = "what did we see in the morning";
    let _ = (TokenCounter.count(text), Tokenizer.document(text));
}
