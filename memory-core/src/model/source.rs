//! PORT: embedders by name. A job that outlives its process names its embedder, and opens it again when it goes on.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use super::{Embedder, ModelError};

/// Opens embedders by the names that the configuration gives them.
#[async_trait]
pub trait EmbedderSource: Send + Sync + Debug {
    /// The embedder of that name, ready to embed.
    ///
    /// Errors: [`ModelError`] if there is none of that name, or it does not work.
    async fn open(&self, name: &str) -> Result<Arc<dyn Embedder>, ModelError>;
}
