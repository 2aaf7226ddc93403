//! Feature-hashing embedder and word-overlap reranker for tests: no files, no runtime, the same output on every
//! machine.
//!
//! Texts that share words have similar vectors, which is all that tests of storage, recall and API need. Both keep the
//! contract of the ports, so that results of tests with them hold for real models.

use std::collections::HashSet;
use std::ops::Range;
use std::time::Instant;

use async_trait::async_trait;
use unicode_segmentation::UnicodeSegmentation;
use xxhash_rust::xxh3::xxh3_64;

use super::split::{TokenBounds, split};
use super::{Embedder, EmbedderIdentity, ModelError, Pooling, Reranker};

/// Maximum input length in words.
const MAX_WORDS: usize = 512;
/// Maximum number of passages in one call, as for the real rerankers.
const MAX_PASSAGES: usize = 100;
/// Weight of a word bigram relative to a word.
const PAIR_WEIGHT: f32 = 0.5;

/// Sum of a pseudo-random direction per word, and of half of one per bigram.
#[derive(Debug)]
pub struct HashingEmbedder {
    identity: EmbedderIdentity,
}

impl HashingEmbedder {
    /// Embedder with `dimension` components, at least 1; 64 suffice to separate unrelated words.
    pub fn new(dimension: usize) -> Self {
        Self::named("hashing", dimension)
    }

    /// The same under a name of its own: another embedder, as far as anybody can tell.
    pub fn named(name: &str, dimension: usize) -> Self {
        let identity = EmbedderIdentity {
            name: name.into(),
            revision: "1".into(),
            dimension: dimension.max(1),
            pooling: Pooling::Hashed,
            query_prefix: String::new(),
            passage_prefix: String::new(),
            max_tokens: MAX_WORDS,
            normalised: true,
        };
        Self { identity }
    }

    fn embed(&self, text: &str) -> Result<Vec<f32>, ModelError> {
        let words = words(text);
        if words.len() > MAX_WORDS {
            return Err(ModelError::OverLimit {
                what: "tokens in a text",
                limit: MAX_WORDS,
                found: words.len(),
            });
        }
        let mut sum = vec![0.0f32; self.identity.dimension];
        for (_, word) in &words {
            add_feature(&mut sum, word, 1.0);
        }
        for pair in words.windows(2) {
            add_feature(&mut sum, &format!("{} {}", pair[0].1, pair[1].1), PAIR_WEIGHT);
        }
        let length = sum.iter().map(|x| x * x).sum::<f32>().sqrt();
        if length > f32::EPSILON {
            sum.iter_mut().for_each(|x| *x /= length);
        } else {
            // A text without words, or whose words cancel out, gets a constant unit vector.
            sum.fill(0.0);
            sum[0] = 1.0;
        }
        Ok(sum)
    }
}

impl Default for HashingEmbedder {
    fn default() -> Self {
        Self::new(64)
    }
}

#[async_trait]
impl Embedder for HashingEmbedder {
    fn identity(&self) -> &EmbedderIdentity {
        &self.identity
    }

    async fn embed_passages(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, ModelError> {
        texts.iter().map(|text| self.embed(text)).collect()
    }

    async fn embed_query(&self, text: &str) -> Result<Vec<f32>, ModelError> {
        self.embed(text)
    }

    fn split(&self, text: &str) -> Vec<Range<usize>> {
        split(text, MAX_WORDS, &Words)
    }
}

/// Reranker that scores the share of the query's words in a passage.
#[derive(Debug, Default)]
pub struct OverlapReranker;

#[async_trait]
impl Reranker for OverlapReranker {
    fn identity(&self) -> &str {
        "overlap"
    }

    fn max_passages(&self) -> usize {
        MAX_PASSAGES
    }

    async fn score(
        &self,
        query: &str,
        passages: &[String],
        deadline: Option<Instant>,
    ) -> Result<Vec<f32>, ModelError> {
        if passages.len() > MAX_PASSAGES {
            return Err(ModelError::OverLimit {
                what: "passages",
                limit: MAX_PASSAGES,
                found: passages.len(),
            });
        }
        let query_words: HashSet<String> = words(query).into_iter().map(|(_, word)| word).collect();
        let in_time =
            passages.iter().take_while(|_| deadline.is_none_or(|deadline| Instant::now() < deadline));
        Ok(in_time
            .map(|passage| {
                let present: HashSet<String> = words(passage).into_iter().map(|(_, word)| word).collect();
                query_words.intersection(&present).count() as f32 / query_words.len().max(1) as f32
            })
            .collect())
    }
}

struct Words;

impl TokenBounds for Words {
    fn starts(&self, text: &str) -> Vec<usize> {
        text.unicode_word_indices().map(|(at, _)| at).collect()
    }

    fn fits(&self, text: &str) -> bool {
        text.unicode_words().count() <= MAX_WORDS
    }
}

fn words(text: &str) -> Vec<(usize, String)> {
    text.unicode_word_indices().map(|(at, word)| (at, word.to_lowercase())).collect()
}

/// Adds a feature. Sign and index come from different bits of the hash, so that the similarity of unrelated texts has
/// mean 0.
fn add_feature(sum: &mut [f32], feature: &str, weight: f32) {
    let hash = xxh3_64(feature.as_bytes());
    let sign = if hash >> 63 == 0 { 1.0 } else { -1.0 };
    let place = (hash & 0x7fff_ffff) as usize % sum.len();
    sum[place] += sign * weight;
}

#[cfg(test)]
mod tests {
    use super::super::contract;
    use super::*;

    #[tokio::test]
    async fn the_hashing_embedder_keeps_the_contract() {
        contract::holds(&|| Ok(Box::new(HashingEmbedder::default()) as Box<dyn Embedder>)).await;
        contract::splits_losslessly(&HashingEmbedder::default(), 10_000_000).await;
    }

    #[tokio::test]
    async fn texts_that_share_words_are_more_similar() {
        let embedder = HashingEmbedder::default();
        let query = embedder.embed_query("Where does Anna live?").await.unwrap();
        let passages = ["Anna moved, and does live in Lisbon", "The cat sat on the mat"].map(String::from);
        let vectors = embedder.embed_passages(&passages).await.unwrap();
        let cosine = |v: &[f32]| query.iter().zip(v).map(|(a, b)| a * b).sum::<f32>();
        assert!(cosine(&vectors[0]) > cosine(&vectors[1]) + 0.2);
    }

    #[tokio::test]
    async fn overlap_orders_passages_and_a_past_deadline_scores_none() {
        let passages = ["nothing", "Anna lives here"].map(String::from);
        let scores = OverlapReranker.score("Anna lives", &passages, None).await.unwrap();
        assert!(scores[1] > scores[0]);
        assert!(OverlapReranker.score("Anna", &passages, Some(Instant::now())).await.unwrap().is_empty());
    }
}
