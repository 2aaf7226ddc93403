//! Model ports: [`Embedder`] maps texts to unit vectors, [`Reranker`] scores passages against a query, and
//! [`language_model`] completes prompts.
//!
//! The ports separate recall and thinking from the runtime: a local ONNX model, a remote service and the hashing
//! embedder of the tests are interchangeable. Invariant of every embedder, checked by `contract` (feature `testing`): a
//! vector depends on its own text alone, not on other texts of the call, their order, the batch or the process.

use std::fmt::Debug;
use std::ops::Range;
use std::time::Instant;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

mod cached;
pub mod catalogue;
mod entry;
mod error;
mod hex;
pub mod language_model;
mod name;
pub mod source;
#[cfg(any(test, feature = "fastembed", feature = "openai", feature = "testing"))]
mod split;
mod task;

#[cfg(feature = "testing")]
pub mod contract;
#[cfg(feature = "testing")]
pub mod hashing;

#[cfg(feature = "fastembed")]
pub mod cross_encoder;
#[cfg(feature = "fastembed")]
pub mod inventory;
#[cfg(feature = "fastembed")]
pub mod lazy_reranker;
#[cfg(feature = "fastembed")]
pub mod local;
#[cfg(feature = "fastembed")]
mod pool;
#[cfg(feature = "hub")]
mod prefixes;
#[cfg(feature = "fastembed")]
pub mod runtime;
#[cfg(feature = "fastembed")]
pub mod session;
#[cfg(feature = "fastembed")]
pub mod supported;
#[cfg(feature = "fastembed")]
mod tokens;

#[cfg(feature = "hub")]
pub mod hub;
#[cfg(feature = "openai")]
mod openai_service;
#[cfg(feature = "openai")]
pub mod remote;
#[cfg(feature = "https")]
mod tls;

pub use error::ModelError;

/// Maps texts to unit vectors whose dot product is their cosine similarity.
///
/// The prefixes that a model needs before queries or passages are added inside.
#[async_trait]
pub trait Embedder: Send + Sync + Debug {
    /// Identity of the embedder. Stored with the vectors: those of different [`EmbedderIdentity::vector_space`]s never
    /// mix.
    fn identity(&self) -> &EmbedderIdentity;

    /// One unit vector per text, in the order of the texts; each depends on its own text alone.
    ///
    /// # Errors
    /// [`ModelError::OverLimit`] for a text over the model's input length (no text is truncated; use
    /// [`split`](Self::split) first) or too many texts in one call; [`ModelError::Busy`] for too many concurrent calls.
    async fn embed_passages(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, ModelError>;

    /// Vector of a query. Never waits for passages.
    ///
    /// A query over the model's input length is split like a passage, and its vector is the unit mean of the parts'
    /// vectors, weighted by length.
    ///
    /// # Errors
    /// [`ModelError::OverLimit`] for a query of too many parts; [`ModelError::Busy`] for too many waiting queries.
    async fn embed_query(&self, text: &str) -> Result<Vec<f32>, ModelError>;

    /// Splits a text into spans (byte ranges), in order and without gap or overlap, each short enough for
    /// [`embed_passages`](Self::embed_passages). Cuts are after a paragraph, else a sentence, else a word.
    ///
    /// Empty for an empty text. Runs on the calling thread, for about a second per megabyte.
    fn split(&self, text: &str) -> Vec<Range<usize>>;
}

/// Scores passages against a query by reading both together (cross-encoder): slower and more accurate than the
/// comparison of vectors.
#[async_trait]
pub trait Reranker: Send + Sync + Debug {
    /// Name and revision of the model, for logs and explanations.
    fn identity(&self) -> &str;

    /// Maximum number of passages in one call.
    fn max_passages(&self) -> usize;

    /// Relevance of each passage to the query, in the order of the passages. Higher is better; the scale is the model's
    /// own (an unbounded logit). Each score depends on its own pair alone.
    ///
    /// With a deadline the result may be shorter than `passages`, or empty: it has the scores computed in time, of the
    /// first passages. Passages should therefore be in order of expected relevance. A pair over the model's input
    /// length is truncated at the end of the longer side.
    ///
    /// # Errors
    /// [`ModelError::OverLimit`] above [`max_passages`](Self::max_passages); [`ModelError::Busy`] for too many
    /// concurrent calls.
    async fn score(
        &self,
        query: &str,
        passages: &[String],
        deadline: Option<Instant>,
    ) -> Result<Vec<f32>, ModelError>;
}

/// Identity of an embedder: decides if two vectors are comparable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmbedderIdentity {
    /// Model name, as in the catalogue or in the remote service.
    pub name: String,
    /// Revision of the weights: sha256 of the model file, or the version configured for a remote service.
    pub revision: String,
    /// Number of components of a vector.
    pub dimension: usize,
    /// Pooling of the token vectors.
    pub pooling: Pooling,
    /// Prefix of every query.
    pub query_prefix: String,
    /// Prefix of every passage.
    pub passage_prefix: String,
    /// Maximum input length in tokens, prefix and special tokens included.
    pub max_tokens: usize,
    /// True if vectors have unit length, as in every implementation here.
    pub normalised: bool,
}

impl EmbedderIdentity {
    /// Short name of the vector space of the passages: equal exactly if stored vectors are comparable.
    ///
    /// A digest of everything that changes a passage's vector; query prefix and `max_tokens` do not.
    pub fn vector_space(&self) -> String {
        let mut digest = Sha256::new();
        for part in [&self.name, &self.revision, &self.passage_prefix] {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
        digest.update((self.dimension as u64).to_le_bytes());
        digest.update([self.pooling as u8, u8::from(self.normalised)]);
        let hex = hex::hex(&digest.finalize());
        format!("{}-{}", self.name, &hex[..16])
    }
}

/// Pooling: reduction of the token vectors to one vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pooling {
    /// Vector of the first, special token (BERT's `[CLS]`).
    Cls = 0,
    /// Mean of all token vectors.
    Mean = 1,
    /// Done by a remote service, unknown here.
    Remote = 2,
    /// Sum of hashed words: the embedder of the tests.
    Hashed = 3,
}

/// Scales a vector to unit length. Refuses another length than the model's dimension and non-finite components.
#[cfg(any(feature = "fastembed", feature = "openai"))]
fn checked_unit(model: &str, dimension: usize, mut vector: Vec<f32>) -> Result<Vec<f32>, ModelError> {
    let invalid = |reason: String| ModelError::InvalidOutput { model: model.to_owned(), reason };
    if vector.len() != dimension {
        return Err(invalid(format!("a vector has {} components instead of {dimension}", vector.len())));
    }
    let length = vector.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
    if !length.is_finite() || length < f64::from(f32::MIN_POSITIVE) {
        return Err(invalid(format!("a vector has length {length}")));
    }
    for component in &mut vector {
        *component = (f64::from(*component) / length) as f32;
    }
    Ok(vector)
}

/// Weighted mean of vectors, scaled to unit length; `None` if they cancel out or there are none.
#[cfg(any(feature = "fastembed", feature = "openai"))]
fn weighted_mean(parts: &[(Vec<f32>, usize)]) -> Option<Vec<f32>> {
    let mut sum = vec![0.0f64; parts.first()?.0.len()];
    for (vector, weight) in parts {
        for (total, component) in sum.iter_mut().zip(vector) {
            *total += f64::from(*component) * *weight as f64;
        }
    }
    let length = sum.iter().map(|x| x * x).sum::<f64>().sqrt();
    (length.is_finite() && length > f64::from(f32::EPSILON))
        .then(|| sum.iter().map(|x| (x / length) as f32).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> EmbedderIdentity {
        EmbedderIdentity {
            name: "m".into(),
            revision: "r".into(),
            dimension: 4,
            pooling: Pooling::Cls,
            query_prefix: String::new(),
            passage_prefix: String::new(),
            max_tokens: 512,
            normalised: true,
        }
    }

    #[test]
    fn vector_space_changes_exactly_with_what_changes_stored_vectors() {
        let space = identity().vector_space();
        assert_eq!(space, EmbedderIdentity { query_prefix: "q: ".into(), ..identity() }.vector_space());
        for other in [
            EmbedderIdentity { revision: "s".into(), ..identity() },
            EmbedderIdentity { passage_prefix: "p: ".into(), ..identity() },
            EmbedderIdentity { dimension: 5, ..identity() },
            EmbedderIdentity { pooling: Pooling::Mean, ..identity() },
            // The boundary between two fields is part of the digest.
            EmbedderIdentity { name: "mr".into(), revision: String::new(), ..identity() },
        ] {
            assert_ne!(space, other.vector_space(), "{other:?}");
        }
    }

    #[cfg(any(feature = "fastembed", feature = "openai"))]
    #[test]
    fn invalid_vectors_are_refused_and_valid_ones_get_unit_length() {
        assert!(matches!(checked_unit("m", 2, vec![1.0]), Err(ModelError::InvalidOutput { .. })));
        assert!(matches!(checked_unit("m", 2, vec![f32::NAN, 1.0]), Err(ModelError::InvalidOutput { .. })));
        assert!(matches!(checked_unit("m", 2, vec![0.0, 0.0]), Err(ModelError::InvalidOutput { .. })));
        assert_eq!(checked_unit("m", 2, vec![3.0, 4.0]).unwrap(), vec![0.6, 0.8]);
    }

    #[cfg(any(feature = "fastembed", feature = "openai"))]
    #[test]
    fn the_weighted_mean_is_closer_to_the_longer_part() {
        let mean = weighted_mean(&[(vec![1.0, 0.0], 3), (vec![0.0, 1.0], 1)]).unwrap();
        assert!(mean[0] > 0.9 && (mean.iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-6, "{mean:?}");
        assert_eq!(weighted_mean(&[(vec![1.0, 0.0], 1), (vec![-1.0, 0.0], 1)]), None);
        assert_eq!(weighted_mean(&[]), None);
    }
}
