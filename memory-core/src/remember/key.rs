//! STEP 2 of remembering, pure: what a memory will be found by. A text becomes rows, one for each chunk that the
//! embedder can read whole, each with its words; the vectors are filled in by the next step.

use std::ops::Range;
use std::sync::Arc;

use crate::domain::change::{IndexRow, KeyKind};
use crate::text::Tokenizer;

/// The rows of a text that is cut at `spans`.
pub(super) fn rows(text: &str, spans: &[Range<usize>]) -> Vec<IndexRow> {
    spans
        .iter()
        .enumerate()
        .map(|(chunk, span)| {
            let mut terms = Vec::new();
            Tokenizer.document(text.get(span.clone()).unwrap_or_default()).encode(&mut terms);
            IndexRow {
                key: KeyKind::Text,
                chunk: u32::try_from(chunk).unwrap_or(u32::MAX),
                span: (narrow(span.start), narrow(span.end)),
                terms: Arc::from(terms),
                vector: None,
            }
        })
        .collect()
}

/// Texts are bounded far below 4 GiB.
fn narrow(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}
