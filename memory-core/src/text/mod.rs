//! Text as the rest of the service sees it: words that can be looked up, tokens that can be budgeted,
//! and spans that can be embedded.
//!
//! It exists so that every back end matches words in the same way: [`Tokenizer`] turns a document into a
//! [`TermVector`] and a question into [`QueryTerms`], both of stable 32-bit term hashes, and nothing
//! downstream looks at characters again. Invariant: what a text yields depends on the text and on
//! [`Tokenizer::IDENTITY`] only, never on the platform, the clock or what was tokenised before.

mod chunk;
mod chunk_pieces;
mod detect;
mod encoding;
mod function_words;
mod language;
mod query_terms;
mod script;
mod segment;
mod term;
mod term_vector;
mod tokenizer;
mod tokens;
pub(crate) mod varint;

#[cfg(test)]
mod golden;

pub use chunk::{ChunkLimits, TextSpan, split_text};
pub use encoding::TermVectorError;
pub use language::Language;
pub use query_terms::{QueryTerms, QueryWord};
pub use term_vector::{Term, TermVector};
pub use tokenizer::Tokenizer;
pub use tokens::TokenCounter;
pub(crate) use tokens::{count_tokens, has_single_blanks_only};
