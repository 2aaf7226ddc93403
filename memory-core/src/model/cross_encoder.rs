//! Local reranker: a cross-encoder on the CPU in this process, through `fastembed`.
//!
//! One pair per run (ADR 0006), because the scores of a dynamically quantised graph depend on the other pairs of a
//! batch. Invariant: at the deadline the call returns the scores computed so far, and pairs not begun are not run.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::{StreamExt, stream};
use serde::Deserialize;
use tokio::sync::Semaphore;

use super::pool::{PoolOptions, WorkerPool};
use super::session::{ModelLocation, OnnxModel};
use super::task::Task;
use super::{ModelError, Reranker};

/// Maximum default number of sessions; more save little time and cost memory.
const MAX_DEFAULT_WORKERS: usize = 4;
/// Bytes of a query or a passage beyond which no model reads.
const MAX_TEXT_BYTES: usize = 1 << 15;

/// Settings of the local reranker. Every field has a default.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LocalRerankerSettings {
    /// Name of a catalogued model, or of one that the user added to the cache.
    pub model: String,
    /// Worker threads, each with its own session while it works; 0 for one per core, at most 4.
    pub workers: usize,
    /// Maximum number of concurrent calls; further ones are refused as busy.
    pub concurrent_calls: usize,
    /// Maximum number of passages in one call.
    pub passages_per_call: usize,
    /// Seconds after which an unused session is dropped, to be loaded again when needed; 0 keeps it.
    pub idle_release_s: u64,
}

impl Default for LocalRerankerSettings {
    fn default() -> Self {
        Self {
            model: "ms-marco-minilm-l-12-v2".into(),
            workers: 0,
            concurrent_calls: 32,
            passages_per_call: 100,
            idle_release_s: 300,
        }
    }
}

/// ONNX cross-encoder in this process.
pub struct LocalReranker {
    identity: String,
    pairs: WorkerPool<Pair, f32>,
    calls: Semaphore,
    settings: LocalRerankerSettings,
}

struct Pair {
    query: Arc<str>,
    passage: String,
}

impl LocalReranker {
    /// Verifies the model's files, loads one session (a fraction of a second) and starts the threads.
    ///
    /// # Errors
    /// [`ModelError`] with the remedy if a file or the runtime is missing, wrong or too old.
    pub fn open(location: &ModelLocation, settings: LocalRerankerSettings) -> Result<Self, ModelError> {
        let model = Arc::new(OnnxModel::open(location, &settings.model, Task::Rerank)?);
        let (session, revision) = model.reranking_session()?;
        let workers = match settings.workers {
            0 => std::thread::available_parallelism().map_or(1, usize::from).min(MAX_DEFAULT_WORKERS),
            given => given,
        };
        let options = PoolOptions {
            name: format!("{} pairs", model.name()),
            workers,
            waiting: workers * 2,
            idle_release: (settings.idle_release_s > 0).then(|| Duration::from_secs(settings.idle_release_s)),
            load_at_once: false,
        };
        let identity = format!("{}@{revision}", model.name());
        let name = model.name().to_owned();
        let load = move || model.reranking_session().map(|(session, _)| session);
        let pairs = WorkerPool::start(options, Some(session), load, move |session, pair: Pair| {
            let Pair { query, passage } = pair;
            let failed = |reason: String| ModelError::Inference { model: name.clone(), reason };
            let scored = session
                .rerank(&*query, [passage.as_str()], false, Some(1))
                .map_err(|e| failed(e.to_string()))?;
            match scored.first() {
                Some(result) if result.score.is_finite() => Ok(result.score),
                _ => Err(ModelError::InvalidOutput { model: name.clone(), reason: "no finite score".into() }),
            }
        })?;
        let calls = Semaphore::new(settings.concurrent_calls.clamp(1, Semaphore::MAX_PERMITS));
        Ok(Self { identity, pairs, calls, settings })
    }
}

#[async_trait]
impl Reranker for LocalReranker {
    fn identity(&self) -> &str {
        &self.identity
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
        let limit = self.settings.passages_per_call;
        if passages.len() > limit {
            return Err(ModelError::OverLimit { what: "passages in a call", limit, found: passages.len() });
        }
        let _call = self.calls.try_acquire().map_err(|_| ModelError::Busy {
            what: "calls to rerank",
            limit: self.settings.concurrent_calls,
        })?;
        let query: Arc<str> = beginning(query).into();
        let jobs: Vec<_> = passages
            .iter()
            .map(|passage| {
                self.pairs.run(Pair { query: Arc::clone(&query), passage: beginning(passage).to_owned() })
            })
            .collect();
        let mut running = stream::iter(jobs).buffered(self.pairs.workers() * 2);
        let mut scores = Vec::with_capacity(passages.len());
        // Dropping the stream at the deadline cancels the waiting pairs.
        while let Some(score) = before(deadline, running.next()).await.flatten() {
            scores.push(score?);
        }
        Ok(scores)
    }
}

impl fmt::Debug for LocalReranker {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("LocalReranker")
            .field("identity", &self.identity)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// Output of `future`; `None` at the deadline.
async fn before<T>(deadline: Option<Instant>, future: impl Future<Output = T>) -> Option<T> {
    match deadline {
        Some(deadline) if deadline <= Instant::now() => None,
        Some(deadline) => tokio::time::timeout_at(deadline.into(), future).await.ok(),
        None => Some(future.await),
    }
}

/// Prefix of a text, as long as a pair can hold, so that a huge text is not copied and tokenised.
fn beginning(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_TEXT_BYTES)]
}
