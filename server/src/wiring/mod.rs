//! Choice of the implementation of each port by the configuration. No other file makes this choice.

mod thinking;

use std::sync::Arc;

use async_trait::async_trait;
use memory_core::domain::clock::SystemClock;
use memory_core::domain::embedder::RowRecipe;
use memory_core::domain::id::RandomIds;
use memory_core::engine::recipe_of_new_rows;
use memory_core::index::embedded::{EmbeddedIndex, EmbeddedIndexOptions, SegmentOptions};
use memory_core::jobs::settings::JobSettings;
use memory_core::model::source::EmbedderSource;
use memory_core::model::{Embedder, ModelError, Reranker};
use memory_core::recall::settings::RecallSettings;
use memory_core::retention::Policy;
use memory_core::store::sql::{SqlStore, StoreOptions};
use memory_core::store::{Embedders, StoreError};
use memory_core::{Engine, Error, Parts};

use crate::config::Config;
use crate::problem::causes;

/// Embedder of a new store.
pub(crate) const DEFAULT_EMBEDDER: &str = "bge-small-en-v1.5";

/// Folder of the index's segment files in the data directory.
pub(crate) const SEGMENT_FOLDER: &str = "segments";

/// Error of the engine's start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store cannot be opened; [`StoreError::InUse`] if another process has it open.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A model is missing or does not work.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The engine refuses its components.
    #[error(transparent)]
    Engine(#[from] Error),
    /// The configuration requires a feature that this build lacks.
    #[error("{what} needs a build with the feature `{feature}`")]
    NotInThisBuild {
        /// Part of the configuration that requires the feature.
        what: String,
        /// Name of the cargo feature.
        feature: &'static str,
    },
    /// The configuration of a remote service is incomplete.
    #[error("embedder `remote` needs model.remote.url, model.remote.model and model.remote.dimension")]
    NoRemote,
}

/// Opens the store, which then belongs to this process, and starts the engine that the configuration describes.
pub async fn engine(config: &Config) -> Result<Arc<Engine>, StartError> {
    let options = StoreOptions { read_connections: config.store.read_connections, ..StoreOptions::default() };
    let store = Arc::new(SqlStore::open(&config.store.data_dir, options).await?);
    let stored = store.embedder_in_use().await?.map(|(_, recipe)| recipe);
    let stored_name = stored.as_ref().map(|recipe| recipe.embedder.as_str());
    let embedder = embedder(config, &chosen(config, stored_name)).await?;
    let index_options = EmbeddedIndexOptions {
        budget_bytes: config.index.memory_budget_bytes,
        threads: or_one_per_core(config.index.threads),
        inline_rows: EmbeddedIndexOptions::INLINE_ROWS,
    };
    let policy = Arc::new(config.forgetting.policy.clone());
    let segments = segments(config, &*embedder, stored);
    let parts = Parts {
        index: Arc::new(index(store.clone(), Arc::clone(&policy), index_options, segments.as_ref())),
        store,
        embedder,
        reranker: reranker(config).await?,
        clock: Arc::new(SystemClock),
        ids: Arc::new(RandomIds::default()),
        limits: config.engine_limits(),
        recall: recall_settings(config),
        thinking: thinking::thinking_settings(config)?,
        forgetting: (*policy).clone(),
    };
    for missing in parts.thinking.missing_models(parts.thinking.profile) {
        tracing::warn!("{missing}");
    }
    let engine = Engine::start(parts).await?;
    engine.start_jobs(Arc::new(ConfiguredEmbedders(config.clone())), JobSettings::default()).await?;
    engine.keep_sweeping(config.forgetting.sweep_interval_hours);
    Ok(engine)
}

/// Segment files of the index, in the data directory: of the rows that the store has, or is to have. `None` if they are
/// switched off.
fn segments(config: &Config, embedder: &dyn Embedder, stored: Option<RowRecipe>) -> Option<SegmentOptions> {
    let rows = stored.unwrap_or_else(|| recipe_of_new_rows(embedder));
    (config.index.segment_budget_bytes > 0).then(|| SegmentOptions {
        folder: config.store.data_dir.join(SEGMENT_FOLDER),
        budget_bytes: config.index.segment_budget_bytes,
        rows: format!("{} {} {}", rows.embedder, rows.tokenizer, rows.key_recipe),
        dimension: embedder.identity().dimension,
        min_rows: SegmentOptions::MIN_ROWS,
    })
}

/// The index; without segment files if their folder cannot be used, since they only make loads faster.
fn index(
    store: Arc<SqlStore>,
    policy: Arc<Policy>,
    options: EmbeddedIndexOptions,
    segments: Option<&SegmentOptions>,
) -> EmbeddedIndex {
    let Some(segments) = segments else { return EmbeddedIndex::new(store, policy, options) };
    match EmbeddedIndex::with_segments(store.clone(), Arc::clone(&policy), options, segments) {
        Ok(index) => index,
        Err(error) => {
            tracing::warn!(%error, "the index has no segment files: first recalls are slow");
            EmbeddedIndex::new(store, policy, options)
        }
    }
}

/// Embedders that the configuration can open by name. A job that resumes after a restart opens its embedder here.
#[derive(Debug)]
struct ConfiguredEmbedders(Config);

#[async_trait]
impl EmbedderSource for ConfiguredEmbedders {
    async fn open(&self, name: &str) -> Result<Arc<dyn Embedder>, ModelError> {
        embedder(&self.0, name).await.map_err(|error| match error {
            StartError::Model(error) => error,
            other => ModelError::Unusable { model: name.to_owned(), reason: causes(&other) },
        })
    }
}

/// Opens the embedder of that name: `remote`, or a local model.
pub async fn embedder(config: &Config, name: &str) -> Result<Arc<dyn Embedder>, StartError> {
    match name {
        "remote" => remote_embedder(config),
        #[cfg(any(test, feature = "testing"))]
        "hashing" => Ok(Arc::new(memory_core::model::hashing::HashingEmbedder::new(64))),
        #[cfg(any(test, feature = "testing"))]
        "hashing-96" => Ok(Arc::new(memory_core::model::hashing::HashingEmbedder::named(name, 96))),
        name => local_embedder(config, name).await,
    }
}

/// Name of the embedder to open, with `auto` resolved. The name in the store is `NAME-` and a hash of 16 digits.
fn chosen(config: &Config, stored: Option<&str>) -> String {
    if config.model.embedder != "auto" {
        return config.model.embedder.clone();
    }
    match stored.and_then(|identity| identity.rsplit_once('-')) {
        Some((name, _hash)) if !name.is_empty() && name == config.model.remote.model => "remote".to_owned(),
        Some((name, _hash)) => name.to_owned(),
        None => DEFAULT_EMBEDDER.to_owned(),
    }
}

fn or_one_per_core(threads: usize) -> usize {
    match threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        threads => threads,
    }
}

fn recall_settings(config: &Config) -> RecallSettings {
    RecallSettings {
        digests: config.recall.digests,
        weights: config.recall.weights.0,
        rerank: config.recall.rerank,
        rerank_candidates: config.recall.rerank_candidates,
        zone: config.recall.zone().unwrap_or_default(),
        ..RecallSettings::default()
    }
}

#[cfg(feature = "remote-models")]
fn remote_embedder(config: &Config) -> Result<Arc<dyn Embedder>, StartError> {
    use memory_core::model::remote::{RemoteEmbedder, RemoteEmbedderSettings};

    let remote = &config.model.remote;
    if remote.url.is_empty() || remote.model.is_empty() || remote.dimension == 0 {
        return Err(StartError::NoRemote);
    }
    // Decoded like a configuration, so that omitted fields have the settings' own defaults.
    let settings = serde_json::from_value::<RemoteEmbedderSettings>(serde_json::json!({
        "base_url": remote.url,
        "model": remote.model,
        "dimension": remote.dimension,
        "api_key": remote.api_key.reveal(),
    }));
    let settings = settings
        .map_err(|error| ModelError::Unusable { model: remote.model.clone(), reason: error.to_string() })?;
    Ok(Arc::new(RemoteEmbedder::new(settings)?))
}

#[cfg(not(feature = "remote-models"))]
fn remote_embedder(_config: &Config) -> Result<Arc<dyn Embedder>, StartError> {
    Err(StartError::NotInThisBuild { what: "a remote embedder".to_owned(), feature: "remote-models" })
}

/// Verifies and loads the model's files on a blocking thread: that takes a fraction of a second.
#[cfg(feature = "local-models")]
async fn local_embedder(config: &Config, name: &str) -> Result<Arc<dyn Embedder>, StartError> {
    use memory_core::model::local::{LocalEmbedder, LocalEmbedderSettings};

    let settings = LocalEmbedderSettings {
        model: name.to_owned(),
        passage_workers: config.model.threads,
        ..LocalEmbedderSettings::default()
    };
    let location = model_location(config);
    loaded(move || LocalEmbedder::open(&location, settings).map(|embedder| Arc::new(embedder) as _)).await
}

#[cfg(not(feature = "local-models"))]
async fn local_embedder(_config: &Config, name: &str) -> Result<Arc<dyn Embedder>, StartError> {
    std::future::ready(()).await;
    Err(StartError::NotInThisBuild { what: format!("the embedder {name}"), feature: "local-models" })
}

/// Opens the cross-encoder. One that the configuration enables must be present. One that only a request may ask for may
/// be missing: the response to such a request reports that it was not reranked.
#[cfg(feature = "local-models")]
async fn reranker(config: &Config) -> Result<Option<Arc<dyn Reranker>>, StartError> {
    use memory_core::model::cross_encoder::{LocalReranker, LocalRerankerSettings};

    let model = config.recall.reranker.clone();
    if model.is_empty() {
        return Ok(None);
    }
    let settings = LocalRerankerSettings { model, ..LocalRerankerSettings::default() };
    let location = model_location(config);
    let opened =
        loaded(move || LocalReranker::open(&location, settings).map(|reranker| Arc::new(reranker) as _))
            .await;
    match opened {
        Ok(reranker) => Ok(Some(reranker)),
        Err(error) if config.recall.rerank => Err(error),
        Err(error) => {
            tracing::warn!(%error, "recalls cannot be read again by a cross-encoder");
            Ok(None)
        }
    }
}

#[cfg(not(feature = "local-models"))]
async fn reranker(config: &Config) -> Result<Option<Arc<dyn Reranker>>, StartError> {
    std::future::ready(()).await;
    match config.recall.rerank {
        true => Err(StartError::NotInThisBuild { what: "recall.rerank".to_owned(), feature: "local-models" }),
        false => Ok(None),
    }
}

#[cfg(feature = "local-models")]
fn model_location(config: &Config) -> memory_core::model::session::ModelLocation {
    use memory_core::model::catalogue::ModelCache;

    let cache = ModelCache::new(&config.model.cache_dir);
    memory_core::model::session::ModelLocation { cache, runtime_library: None }
}

#[cfg(feature = "local-models")]
async fn loaded<T: Send + 'static>(
    load: impl FnOnce() -> Result<T, ModelError> + Send + 'static,
) -> Result<T, StartError> {
    match tokio::task::spawn_blocking(load).await {
        Ok(loaded) => Ok(loaded?),
        Err(_) => Err(StartError::Model(ModelError::Stopped)),
    }
}
