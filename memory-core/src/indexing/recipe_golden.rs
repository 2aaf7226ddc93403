//! Golden test of the key recipe: keys, chunks and words of fixed texts.
//!
//! Stored rows outlive a build, so any change of them must be noticed. Invariant: when this test fails, `KEY_RECIPE` gets a
//! new number in the same commit as the new expectation, and stores make their rows anew.

use std::fmt::Write as _;
use std::ops::Range;

use async_trait::async_trait;

use super::embed::{TextToIndex, cut_one};
use super::keys::KEY_RECIPE;
use crate::domain::name::Name;
use crate::model::hashing::HashingEmbedder;
use crate::model::{Embedder, EmbedderIdentity, ModelError};

/// An embedder that reads 24 bytes with its special tokens, and cuts after every tenth byte: its cuts do not depend on a
/// tokenizer, which has an identity of its own.
#[derive(Debug)]
struct ShortEmbedder(EmbedderIdentity);

impl ShortEmbedder {
    fn new() -> Self {
        Self(EmbedderIdentity { max_tokens: 24, ..HashingEmbedder::default().identity().clone() })
    }
}

#[async_trait]
impl Embedder for ShortEmbedder {
    fn identity(&self) -> &EmbedderIdentity {
        &self.0
    }

    async fn embed_passages(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, ModelError> {
        HashingEmbedder::default().embed_passages(texts).await
    }

    async fn embed_query(&self, text: &str) -> Result<Vec<f32>, ModelError> {
        HashingEmbedder::default().embed_query(text).await
    }

    fn split(&self, text: &str) -> Vec<Range<usize>> {
        (0..text.len()).step_by(10).map(|start| start..text.len().min(start + 10)).collect()
    }
}

/// `author TAB has a vector TAB text`, and for each row `span in the text TAB what is embedded TAB what words are taken from`.
const GOLDEN: &str = "\
-\tfalse\tI moved.
0..8\tI moved.\tI moved.
Ann\tfalse\tI moved.
0..8\tAnn: I moved.\tAnn: I moved.
-\tfalse\tI moved to Lisbon in May.
0..10\tI moved to\tI moved to
10..20\t Lisbon in\t Lisbon in
20..25\t May.\t May.
Ann\tfalse\tI moved to Lisbon in May.
0..5\tAnn: I mov\tAnn: I mov
5..15\ted to Lisb\tAnn: ed to Lisb
15..25\ton in May.\tAnn: on in May.
Johann\ttrue\tI moved away.
0..13\tJohann: I moved away.\tJohann: I moved away.
Johann\tfalse\tI moved away.
0..2\tJohann: I \tJohann: I 
2..12\tmoved away\tJohann: moved away
12..13\t.\tJohann: .
-\tfalse\t
0..0\t\t
";

#[test]
fn rows_agree_with_the_golden_text_of_this_recipe() {
    let embedder = ShortEmbedder::new();
    let mut actual = String::new();
    let heads = GOLDEN.lines().filter(|line| !line.starts_with(|first: char| first.is_ascii_digit()));
    for head in heads {
        let [author, has_vector, text] = head.splitn(3, '\t').collect::<Vec<_>>()[..] else {
            panic!("{head}")
        };
        writeln!(actual, "{head}").unwrap();
        let text = TextToIndex {
            text: text.into(),
            author: (author != "-").then(|| Name::new(author).unwrap()),
            vector: (has_vector == "true").then(|| vec![1.0; 64]),
        };
        let (key, spans) = {
            let cut = cut_one(&embedder, &text);
            (cut.key, cut.spans)
        };
        for (row, span) in key.rows(&spans).iter().zip(&spans) {
            let (start, end) = row.span;
            writeln!(actual, "{start}..{end}\t{}\t{}", &key.text[span.clone()], key.words(span)).unwrap();
        }
    }
    assert!(actual == GOLDEN, "keys changed: raise KEY_RECIPE; the text would now be:\n{actual}");
    assert_eq!(KEY_RECIPE, 1, "the golden text is of another recipe");
}

#[test]
fn terms_of_a_row_are_those_of_its_words() {
    let text = TextToIndex {
        text: "I moved to Lisbon in May.".into(),
        author: Some(Name::new("Ann").unwrap()),
        vector: None,
    };
    let cut = cut_one(&ShortEmbedder::new(), &text);
    for (row, span) in cut.key.rows(&cut.spans).iter().zip(&cut.spans) {
        let mut terms = Vec::new();
        crate::text::Tokenizer.document(&cut.key.words(span)).encode(&mut terms);
        assert_eq!(*row.terms, *terms);
    }
}
