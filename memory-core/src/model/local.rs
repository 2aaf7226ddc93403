//! Local embedder: an ONNX model on the CPU in this process, through `fastembed`.
//!
//! It needs no service, and no text leaves the machine. Invariants: one text per run, so that a vector depends on its
//! text alone, bit for bit; queries have their own sessions and threads and never wait for passages; concurrent calls
//! share the passage workers fairly.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use fastembed::TextEmbedding;
use futures::{StreamExt, TryStreamExt, stream};
use serde::Deserialize;
use tokio::sync::Semaphore;

use super::pool::{PoolOptions, WorkerPool};
use super::session::{ModelLocation, OnnxModel};
use super::task::Task;
use super::tokens::PrefixedTokens;
use super::{Embedder, EmbedderIdentity, ModelError, checked_unit, weighted_mean};

/// Maximum number of parts of a query that exceeds the model's input length.
const MAX_QUERY_PARTS: usize = 8;
/// Maximum default number of passage sessions; beyond it, memory is better used elsewhere.
const MAX_DEFAULT_WORKERS: usize = 8;

/// Default number of query workers. With two, four concurrent clients wait for two runs at most; a third session costs
/// more memory than it saves time on typical machines.
const DEFAULT_QUERY_WORKERS: usize = 2;

/// Settings of the local embedder. Every field has a default.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LocalEmbedderSettings {
    /// Name of a catalogued model, or of one that the user added to the cache.
    pub model: String,
    /// Threads for passages, each with its own session while it works; 0 for one per core, at most 8.
    pub passage_workers: usize,
    /// Maximum number of concurrent calls of `embed_passages`; further ones are refused as busy.
    pub concurrent_calls: usize,
    /// Maximum number of texts in one call.
    pub texts_per_call: usize,
    /// Threads for queries, each with its own session; 0 for two, or one on a single core.
    pub query_workers: usize,
    /// Maximum number of waiting queries; further ones are refused as busy.
    pub waiting_queries: usize,
    /// Seconds after which an unused passage session is dropped, to be loaded again when needed; 0 keeps it.
    pub idle_release_s: u64,
}

impl Default for LocalEmbedderSettings {
    fn default() -> Self {
        Self {
            model: "bge-small-en-v1.5".into(),
            passage_workers: 0,
            concurrent_calls: 64,
            texts_per_call: 4096,
            query_workers: 0,
            waiting_queries: 64,
            idle_release_s: 300,
        }
    }
}

/// ONNX embedding model in this process.
pub struct LocalEmbedder {
    identity: EmbedderIdentity,
    passage_tokens: PrefixedTokens,
    query_tokens: PrefixedTokens,
    passages: WorkerPool<String, Vec<f32>>,
    queries: WorkerPool<Vec<String>, Vec<f32>>,
    calls: Semaphore,
    settings: LocalEmbedderSettings,
}

impl LocalEmbedder {
    /// Verifies the model's files, loads the query session (a fraction of a second) and starts the threads.
    ///
    /// # Errors
    /// [`ModelError`] with the remedy if a file or the runtime is missing, wrong or too old.
    pub fn open(location: &ModelLocation, settings: LocalEmbedderSettings) -> Result<Self, ModelError> {
        let model = Arc::new(OnnxModel::open(location, &settings.model, Task::Embed)?);
        let entry = &model.cached().entry;
        let tokens =
            |prefix: &str| PrefixedTokens::new(&entry.name, model.tokenizer_json(), prefix, entry.max_tokens);
        let passage_tokens = tokens(&entry.passage_prefix)?;
        let query_tokens = tokens(&entry.query_prefix)?;
        let (query_session, revision) = model.embedding_session()?;
        let identity = identity(&model, revision)?;
        let queries = query_pool(&model, query_session, &identity, &settings)?;
        let passages = passage_pool(&model, &identity, &settings)?;
        let calls = Semaphore::new(settings.concurrent_calls.clamp(1, Semaphore::MAX_PERMITS));
        Ok(Self { identity, passage_tokens, query_tokens, passages, queries, calls, settings })
    }
}

#[async_trait]
impl Embedder for LocalEmbedder {
    fn identity(&self) -> &EmbedderIdentity {
        &self.identity
    }

    async fn embed_passages(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, ModelError> {
        let limit = self.settings.texts_per_call;
        if texts.len() > limit {
            return Err(ModelError::OverLimit { what: "texts in a call", limit, found: texts.len() });
        }
        let _call = self.calls.try_acquire().map_err(|_| ModelError::Busy {
            what: "calls to embed passages",
            limit: self.settings.concurrent_calls,
        })?;
        let jobs: Vec<_> = texts.iter().map(|text| self.passage(text)).collect();
        // Two jobs per worker: few enough for jobs of other calls to interleave, enough to keep every worker busy.
        stream::iter(jobs).buffered(self.passages.workers() * 2).try_collect().await
    }

    async fn embed_query(&self, text: &str) -> Result<Vec<f32>, ModelError> {
        let spans = match self.query_tokens.prefixed(text) {
            Ok(whole) => return self.queries.run_now(vec![whole]).await,
            Err(_) => self.query_tokens.split(text),
        };
        if spans.len() > MAX_QUERY_PARTS {
            let found = spans.len();
            return Err(ModelError::OverLimit { what: "parts of a query", limit: MAX_QUERY_PARTS, found });
        }
        let parts = spans.into_iter().map(|span| self.query_tokens.prefixed(&text[span]));
        self.queries.run_now(parts.collect::<Result<_, _>>()?).await
    }

    fn split(&self, text: &str) -> Vec<Range<usize>> {
        self.passage_tokens.split(text)
    }
}

impl LocalEmbedder {
    async fn passage(&self, text: &str) -> Result<Vec<f32>, ModelError> {
        self.passages.run(self.passage_tokens.prefixed(text)?).await
    }
}

impl fmt::Debug for LocalEmbedder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("LocalEmbedder")
            .field("identity", &self.identity)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

fn identity(model: &OnnxModel, revision: String) -> Result<EmbedderIdentity, ModelError> {
    let entry = &model.cached().entry;
    let (Some(dimension), Some(pooling)) = (entry.dimension, entry.pooling) else {
        let reason = "an embedder needs `dimension` and `pooling`".to_owned();
        return Err(ModelError::Unusable { model: entry.name.clone(), reason });
    };
    Ok(EmbedderIdentity {
        name: entry.name.clone(),
        revision,
        dimension,
        pooling,
        query_prefix: entry.query_prefix.clone(),
        passage_prefix: entry.passage_prefix.clone(),
        max_tokens: entry.max_tokens,
        normalised: true,
    })
}

fn query_pool(
    model: &Arc<OnnxModel>,
    session: TextEmbedding,
    identity: &EmbedderIdentity,
    settings: &LocalEmbedderSettings,
) -> Result<WorkerPool<Vec<String>, Vec<f32>>, ModelError> {
    let options = PoolOptions {
        name: format!("{} queries", identity.name),
        workers: match settings.query_workers {
            0 => cores().min(DEFAULT_QUERY_WORKERS),
            given => given,
        },
        waiting: settings.waiting_queries,
        idle_release: None,
        load_at_once: true,
    };
    let (loader, dimension, name) = (Arc::clone(model), identity.dimension, identity.name.clone());
    let load = move || loader.embedding_session().map(|(session, _)| session);
    WorkerPool::start(options, Some(session), load, move |session, parts: Vec<String>| {
        let embedded: Result<Vec<_>, _> = parts
            .into_iter()
            .map(|part| embed(session, &name, dimension, &part).map(|vector| (vector, part.len())))
            .collect();
        let embedded = embedded?;
        if let [(vector, _)] = embedded.as_slice() {
            return Ok(vector.clone());
        }
        weighted_mean(&embedded).ok_or_else(|| ModelError::InvalidOutput {
            model: name.clone(),
            reason: "the parts of the query cancel out".into(),
        })
    })
}

fn passage_pool(
    model: &Arc<OnnxModel>,
    identity: &EmbedderIdentity,
    settings: &LocalEmbedderSettings,
) -> Result<WorkerPool<String, Vec<f32>>, ModelError> {
    let workers = match settings.passage_workers {
        0 => cores().min(MAX_DEFAULT_WORKERS),
        given => given,
    };
    let options = PoolOptions {
        name: format!("{} passages", identity.name),
        workers,
        waiting: workers * 2,
        idle_release: (settings.idle_release_s > 0).then(|| Duration::from_secs(settings.idle_release_s)),
        load_at_once: false,
    };
    let (loader, dimension, name) = (Arc::clone(model), identity.dimension, identity.name.clone());
    let load = move || loader.embedding_session().map(|(session, _)| session);
    WorkerPool::start(options, None, load, move |session, text: String| {
        embed(session, &name, dimension, &text)
    })
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn embed(
    session: &mut TextEmbedding,
    model: &str,
    dimension: usize,
    text: &str,
) -> Result<Vec<f32>, ModelError> {
    let vectors = session
        .embed([text], None)
        .map_err(|error| ModelError::Inference { model: model.to_owned(), reason: error.to_string() })?;
    checked_unit(model, dimension, vectors.into_iter().next().unwrap_or_default())
}
