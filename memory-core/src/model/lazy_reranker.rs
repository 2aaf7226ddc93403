//! Lazily opened cross-encoder. Most servers never rerank, and its session is a large part of an idle server's memory.

use std::time::Instant;

use async_trait::async_trait;
use tokio::sync::OnceCell;

use super::cross_encoder::{LocalReranker, LocalRerankerSettings};
use super::session::ModelLocation;
use super::{ModelError, Reranker};

/// Reranker that opens a [`LocalReranker`] on the first call. A failed opening is tried again on the next call.
#[derive(Debug)]
pub struct LazyReranker {
    name: String,
    location: ModelLocation,
    settings: LocalRerankerSettings,
    opened: OnceCell<LocalReranker>,
}

impl LazyReranker {
    /// Reranker to be opened with these settings.
    pub fn new(location: ModelLocation, settings: LocalRerankerSettings) -> Self {
        Self { name: settings.model.clone(), location, settings, opened: OnceCell::new() }
    }

    async fn reranker(&self) -> Result<&LocalReranker, ModelError> {
        self.opened
            .get_or_try_init(|| async {
                let (location, settings) = (self.location.clone(), self.settings.clone());
                let opening = tokio::task::spawn_blocking(move || LocalReranker::open(&location, settings));
                opening.await.map_err(|error| ModelError::Unusable {
                    model: self.name.clone(),
                    reason: format!("it could not be opened: {error}"),
                })?
            })
            .await
    }
}

#[async_trait]
impl Reranker for LazyReranker {
    fn identity(&self) -> &str {
        self.opened.get().map_or(self.name.as_str(), Reranker::identity)
    }

    fn max_passages(&self) -> usize {
        self.settings.passages_per_call
    }

    async fn score(
        &self,
        query: &str,
        passages: &[String],
        deadline: Option<Instant>,
    ) -> Result<Vec<f32>, ModelError> {
        self.reranker().await?.score(query, passages, deadline).await
    }
}
