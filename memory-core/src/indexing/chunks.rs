//! Chunk boundaries: the spans of a text that the embedder reads whole.

use std::ops::Range;

use crate::model::Embedder;

/// The parts of a text that the embedder can read whole. A token is at least a byte, so a text with fewer bytes than
/// the model reads tokens need not be tokenised to know that it fits.
pub(super) fn chunk_spans(embedder: &dyn Embedder, text: &str) -> Vec<Range<usize>> {
    const SPECIAL_TOKENS: usize = 8;
    let identity = embedder.identity();
    if text.len() + identity.passage_prefix.len() + SPECIAL_TOKENS <= identity.max_tokens {
        return std::iter::once(0..text.len()).collect();
    }
    let spans = embedder.split(text);
    if spans.is_empty() { std::iter::once(0..text.len()).collect() } else { spans }
}
