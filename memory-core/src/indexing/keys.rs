//! Index keys, pure: what a memory will be found by. A text becomes rows, one for each chunk that the
//! embedder can read whole, each with its words; the vectors are filled in by the next step.
//!
//! Turns are indexed with the name of their author: the key of a turn with an author is `Ann: I moved to Lisbon`, for
//! the words and for the vector alike, since "where does Ann live?" is about her turns and not about Bob's.

use std::ops::Range;
use std::sync::Arc;

use crate::domain::change::{IndexRow, KeyKind};
use crate::domain::embedder::RowRecipe;
use crate::domain::name::Name;
use crate::text::Tokenizer;

/// Version of the key recipe: how the key of a memory is built from its text and author, where it is cut into chunks, and
/// which words a chunk has besides its own. To be raised by one with every change of these for any text, in the commit of
/// that change; stores whose rows have another version are made anew after the start. The tokenizer has an identity of
/// its own ([`Tokenizer::IDENTITY`]), as has the embedder.
pub(super) const KEY_RECIPE: u32 = 1;

/// The recipe of the rows that this code makes with an embedder of this vector space.
pub(crate) fn row_recipe(vector_space: String) -> RowRecipe {
    RowRecipe { embedder: vector_space, tokenizer: Tokenizer::IDENTITY.to_owned(), key_recipe: KEY_RECIPE }
}

/// The text that a memory is found by.
#[derive(Clone, Debug)]
pub(super) struct Key {
    /// The memory's text, under the name of who said it.
    pub(super) text: Arc<str>,
    heading_bytes: usize,
}

impl Key {
    pub(super) fn new(text: &Arc<str>, author: Option<&Name>) -> Self {
        match author {
            Some(author) => {
                let heading = author.heading();
                Self { heading_bytes: heading.len(), text: (heading + text).into() }
            }
            None => Self { text: text.clone(), heading_bytes: 0 },
        }
    }

    /// The rows, if the key is cut at `spans`. Theirs are the spans of the memory's own text.
    pub(super) fn rows(&self, spans: &[Range<usize>]) -> Vec<IndexRow> {
        spans
            .iter()
            .enumerate()
            .map(|(chunk, span)| {
                let mut terms = Vec::new();
                Tokenizer.document(&self.words(span)).encode(&mut terms);
                let in_text = |at: usize| narrow(at.saturating_sub(self.heading_bytes));
                IndexRow {
                    key: KeyKind::Text,
                    chunk: u32::try_from(chunk).unwrap_or(u32::MAX),
                    span: (in_text(span.start), in_text(span.end)),
                    terms: Arc::from(terms),
                    vector: None,
                }
            })
            .collect()
    }

    /// Range of a chunk in the key, from its span in the memory's own text. `None` if the heading itself was cut.
    pub(super) fn span_of(&self, chunk: u32, (start, end): (u32, u32)) -> Option<Range<usize>> {
        let (start, end) = (usize::try_from(start).ok()?, usize::try_from(end).ok()?);
        if (chunk > 0 && start == 0) || end == 0 {
            return None;
        }
        let in_key = |at: usize| at + self.heading_bytes;
        Some(if chunk == 0 { 0..in_key(end) } else { in_key(start)..in_key(end) })
    }

    /// Text of a chunk for the word index. The author's name is included also for chunks that do not begin with it.
    pub(super) fn words(&self, span: &Range<usize>) -> std::borrow::Cow<'_, str> {
        let chunk = self.text.get(span.clone()).unwrap_or_default();
        match self.text.get(..self.heading_bytes) {
            Some(heading) if span.start > 0 && !heading.is_empty() => format!("{heading}{chunk}").into(),
            _ => chunk.into(),
        }
    }
}

/// Texts are bounded far below 4 GiB.
fn narrow(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::TermVector;

    fn has(row: &IndexRow, word: &str) -> bool {
        let wanted = Tokenizer.document(word).terms()[0].hash;
        TermVector::decode(&row.terms).unwrap().terms().iter().any(|term| term.hash == wanted)
    }

    #[test]
    fn every_chunk_is_found_under_the_name() {
        let text: Arc<str> = "I moved. It rains.".into();
        let key = Key::new(&text, Some(&Name::new("Ann").unwrap()));
        assert_eq!(&*key.text, "Ann: I moved. It rains.");
        let rows = key.rows(&[0..14, 14..23]);
        assert_eq!([rows[0].span, rows[1].span], [(0, 9), (9, 18)], "spans are those of the text");
        assert!(rows.iter().all(|row| has(row, "Ann")));
        assert!(has(&rows[0], "moved") && !has(&rows[1], "moved") && has(&rows[1], "rains"));
    }

    #[test]
    fn the_chunks_of_a_key_are_found_again_from_the_spans_of_its_rows() {
        let text: Arc<str> = "I moved. It rains.".into();
        for author in [None, Some(Name::new("Ann").unwrap())] {
            let key = Key::new(&text, author.as_ref());
            let cut = key.text.len() - 9;
            let spans = [0..cut, cut..key.text.len()];
            for (chunk, row) in (0..).zip(key.rows(&spans)) {
                assert_eq!(key.span_of(chunk, row.span).as_ref(), spans.get(chunk as usize));
            }
            assert_eq!(key.span_of(1, (0, 3)), None, "the heading was cut");
        }
    }

    #[test]
    fn without_an_author_the_text_is_the_key() {
        let text: Arc<str> = "I moved.".into();
        let key = Key::new(&text, None);
        assert!(Arc::ptr_eq(&key.text, &text));
        let whole = 0..text.len();
        assert_eq!(key.rows(&[whole])[0].span, (0, 8));
    }
}
