//! The models that recall stands on, behind two small ports: [`Embedder`] turns text into unit vectors, [`Reranker`]
//! judges how well a passage answers a query.
//!
//! They exist so that the mechanisms know no runtime: a local ONNX model, a remote service and the hashing embedder
//! of the tests are interchangeable. The invariant that every implementation keeps, checked by the functions of
//! `contract` (feature `testing`), is that a vector depends on its own text alone: not on the texts beside it, the
//! order, the batch or the process.

use std::fmt::Debug;
use std::ops::Range;
use std::time::Instant;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

mod cached;
pub mod catalogue;
mod error;
mod name;
pub mod source;
#[cfg(any(test, feature = "fastembed", feature = "openai", feature = "testing"))]
mod split;

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
pub mod remote;
#[cfg(feature = "https")]
mod tls;

pub use error::ModelError;

/// Turns texts into unit vectors whose dot product is the cosine of their meanings.
///
/// Prefixes that a model wants before queries or passages are added inside.
#[async_trait]
pub trait Embedder: Send + Sync + Debug {
    /// What made the vectors. Stored beside them: vectors of two [`EmbedderIdentity::vector_space`]s never mix.
    fn identity(&self) -> &EmbedderIdentity;

    /// One vector of unit length for each text, in the order of the texts; each depends on its own text alone.
    ///
    /// # Errors
    /// [`ModelError::OverLimit`] for a text longer than the model reads (nothing is cut silently: use
    /// [`split`](Self::split) first) or too many texts in one call; [`ModelError::Busy`] with too many calls at once.
    async fn embed_passages(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, ModelError>;

    /// The vector of a query. Never waits behind passages: it has its own way to the model.
    ///
    /// A query longer than the model reads is cut into parts like a passage, and its vector is the unit mean of
    /// theirs, weighted by length; more than a few parts are [`ModelError::OverLimit`].
    async fn embed_query(&self, text: &str) -> Result<Vec<f32>, ModelError>;

    /// Byte spans of `text`, in order and without gap or overlap, each short enough for
    /// [`embed_passages`](Self::embed_passages). Cuts fall after a paragraph, else a sentence, else a word.
    ///
    /// Empty for an empty text. Computes on the calling thread: about a second for each megabyte.
    fn split(&self, text: &str) -> Vec<Range<usize>>;
}

/// Judges passages against a query by reading both together: dearer and sharper than comparing vectors.
#[async_trait]
pub trait Reranker: Send + Sync + Debug {
    /// Name and revision of the model, for logs and for the explanation of a recall.
    fn identity(&self) -> &str;

    /// How many passages one call may bring.
    fn max_passages(&self) -> usize;

    /// Relevance of each passage to the query, in the order of the passages; higher is better, the scale is the
    /// model's own (a logit, unbounded). Each score depends on its own pair alone.
    ///
    /// With a deadline the answer may be shorter than `passages`: the scores of those first passages that were done
    /// in time, perhaps none. So bring the best candidates first. Of a pair longer than the model reads, the end of
    /// the longer side is left out of the judgement.
    ///
    /// # Errors
    /// [`ModelError::OverLimit`] above [`max_passages`](Self::max_passages); [`ModelError::Busy`] with too many calls.
    async fn score(
        &self,
        query: &str,
        passages: &[String],
        deadline: Option<Instant>,
    ) -> Result<Vec<f32>, ModelError>;
}

/// What made a vector: enough to tell whether two vectors may be compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmbedderIdentity {
    /// The model's name, as in the catalogue or in the remote service.
    pub name: String,
    /// Which weights: sha256 of the model file, or whatever version a remote service was configured with.
    pub revision: String,
    /// Components of a vector.
    pub dimension: usize,
    /// How one vector is made from those of the tokens.
    pub pooling: Pooling,
    /// Put before every query.
    pub query_prefix: String,
    /// Put before every passage.
    pub passage_prefix: String,
    /// Tokens that the model reads at once, prefix and special tokens included.
    pub max_tokens: usize,
    /// Whether vectors have unit length; true for every implementation here.
    pub normalised: bool,
}

impl EmbedderIdentity {
    /// A short name for the space the passages live in: equal exactly when stored vectors may be compared.
    ///
    /// Made from everything that changes a passage's vector; the query prefix and `max_tokens` do not.
    pub fn vector_space(&self) -> String {
        let mut digest = Sha256::new();
        for part in [&self.name, &self.revision, &self.passage_prefix] {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
        digest.update((self.dimension as u64).to_le_bytes());
        digest.update([self.pooling as u8, u8::from(self.normalised)]);
        let hex = catalogue::hex(&digest.finalize());
        format!("{}-{}", self.name, &hex[..16])
    }
}

/// How one vector is made from those of the tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pooling {
    /// The vector of the first, special token (BERT's `[CLS]`).
    Cls = 0,
    /// The mean over all tokens.
    Mean = 1,
    /// Inside a service, unknown to us.
    Remote = 2,
    /// The sum of hashed words: the embedder of the tests.
    Hashed = 3,
}

/// Refuses a vector that has another length than the model's dimension or is not finite, and scales it to unit length.
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

/// The unit mean of vectors, weighted; `None` when they cancel out or there are none.
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
    fn vector_space_changes_with_what_changes_stored_vectors_and_only_then() {
        let space = identity().vector_space();
        assert_eq!(space, EmbedderIdentity { query_prefix: "q: ".into(), ..identity() }.vector_space());
        for other in [
            EmbedderIdentity { revision: "s".into(), ..identity() },
            EmbedderIdentity { passage_prefix: "p: ".into(), ..identity() },
            EmbedderIdentity { dimension: 5, ..identity() },
            EmbedderIdentity { pooling: Pooling::Mean, ..identity() },
            // The boundary between two fields counts.
            EmbedderIdentity { name: "mr".into(), revision: String::new(), ..identity() },
        ] {
            assert_ne!(space, other.vector_space(), "{other:?}");
        }
    }

    #[cfg(any(feature = "fastembed", feature = "openai"))]
    #[test]
    fn bad_vectors_are_refused_and_good_ones_get_unit_length() {
        assert!(matches!(checked_unit("m", 2, vec![1.0]), Err(ModelError::InvalidOutput { .. })));
        assert!(matches!(checked_unit("m", 2, vec![f32::NAN, 1.0]), Err(ModelError::InvalidOutput { .. })));
        assert!(matches!(checked_unit("m", 2, vec![0.0, 0.0]), Err(ModelError::InvalidOutput { .. })));
        assert_eq!(checked_unit("m", 2, vec![3.0, 4.0]).unwrap(), vec![0.6, 0.8]);
    }

    #[cfg(any(feature = "fastembed", feature = "openai"))]
    #[test]
    fn weighted_mean_leans_to_the_longer_part() {
        let mean = weighted_mean(&[(vec![1.0, 0.0], 3), (vec![0.0, 1.0], 1)]).unwrap();
        assert!(mean[0] > 0.9 && (mean.iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-6, "{mean:?}");
        assert_eq!(weighted_mean(&[(vec![1.0, 0.0], 1), (vec![-1.0, 0.0], 1)]), None);
        assert_eq!(weighted_mean(&[]), None);
    }
}
