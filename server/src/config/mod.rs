//! Server configuration: the typed form of `config.default.toml`.
//!
//! `config.default.toml` documents every key and is the only place with defaults; a test checks that the types here
//! have exactly its keys. Invariant: a [`Config`] returned by [`load()`] has passed [`Config::check`].

mod check;
mod hosts;
mod load;
mod secret;
mod thinking;
mod weights;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use memory_core::domain::zone::Zone;
use memory_core::limits::Limits as EngineLimits;
use memory_core::retention::Policy;
use serde::{Deserialize, Serialize};

pub use check::BadConfig;
pub use hosts::{BadHost, BadOrigin, HostPort, Origin};
pub use load::{LoadError, Overrides, load};
pub use secret::Secret;
pub use thinking::{LanguageModel, Tasks, Thinking, ThinkingBudget};
pub use weights::SignalWeights;

/// Text of the file with every key, its meaning and its default.
pub const DEFAULTS: &str = include_str!("../../config.default.toml");

/// Configuration of the server.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Listener.
    pub server: Server,
    /// Store.
    pub store: Store,
    /// Embedder.
    pub model: Model,
    /// Index.
    pub index: Index,
    /// Defaults of recall requests.
    pub recall: RecallDefaults,
    /// Thinking.
    pub thinking: Thinking,
    /// Back ends of language models, by name.
    pub language_models: BTreeMap<String, LanguageModel>,
    /// Forgetting.
    pub forgetting: Forgetting,
    /// Limits.
    pub limits: Limits,
    /// Log.
    pub log: Log,
}

/// Listener of the server.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Address and port to listen on.
    pub listen: SocketAddr,
    /// Permission to listen on an address that other machines can reach, although there are no API keys.
    pub allow_remote_without_keys: bool,
    /// Names of this server in `Host`, besides `localhost` and addresses.
    pub allowed_hosts: Vec<HostPort>,
    /// Origins of web pages that may use the API, besides its own.
    pub allowed_origins: Vec<Origin>,
}

/// Store.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// Data directory. Where no file sets it, [`load()`] derives it from the environment.
    #[serde(default)]
    pub data_dir: PathBuf,
    /// Number of database connections for reading.
    pub read_connections: u32,
}

/// Embedder.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Name of the embedder: `auto`, `remote`, or a local model.
    pub embedder: String,
    /// Directory of local models. Where no file sets it, [`load()`] derives it from the environment.
    #[serde(default)]
    pub cache_dir: PathBuf,
    /// Number of threads that embed memories; 0 means one per core.
    pub threads: usize,
    /// Embedding service for `remote`.
    pub remote: Remote,
}

/// Embedding service.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Remote {
    /// Base URL, without `/embeddings`.
    pub url: String,
    /// Name of the model at the service.
    pub model: String,
    /// Dimension of the model's vectors.
    pub dimension: usize,
    /// API key, sent as a bearer token.
    pub api_key: Secret,
}

/// Index.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Index {
    /// Memory budget of the partitions, in bytes.
    pub memory_budget_bytes: usize,
    /// Number of search threads; 0 means one per core.
    pub threads: usize,
    /// Size of the segment files, in bytes; 0 for none.
    pub segment_budget_bytes: u64,
    /// Memory budget of the graphs of memories, in bytes.
    pub graph_budget_bytes: usize,
}

/// Defaults of recall requests.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RecallDefaults {
    /// Number of memories to return.
    pub limit: u32,
    /// Length of the context block, in LLM tokens.
    pub budget_tokens: u32,
    /// Reranking of candidates by the cross-encoder.
    pub rerank: bool,
    /// Number of candidates to rerank.
    pub rerank_candidates: u32,
    /// Name of the cross-encoder.
    pub reranker: String,
    /// Digests among the recalled memories, where no filter asks for them.
    pub digests: bool,
    /// Time zone of owners and requests that name none.
    pub timezone: String,
    /// Weights of the signals.
    pub weights: SignalWeights,
}

impl RecallDefaults {
    /// Time zone of owners and requests that name none; `None` if its name is not known.
    pub fn zone(&self) -> Option<Zone> {
        Zone::parse(&self.timezone)
    }
}

/// Forgetting.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Forgetting {
    /// Interval between the sweeps of an owner, in hours; 0 for sweeps by request alone.
    pub sweep_interval_hours: u32,
    /// Policy of owners that have none of their own.
    pub policy: Policy,
}

/// Limits.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Maximum size of a request body, in bytes.
    pub body_bytes: usize,
    /// Maximum size of all request bodies in memory together, in bytes.
    pub bodies_bytes: usize,
    /// Maximum number of open connections.
    pub connections: usize,
    /// See [`Limits::idle_timeout`].
    pub idle_timeout_ms: u64,
    /// See [`Limits::body_timeout`].
    pub body_timeout_ms: u64,
    /// See [`Limits::send_timeout`].
    pub send_timeout_ms: u64,
    /// See [`Limits::request_timeout`].
    pub request_timeout_ms: u64,
    /// See [`Limits::admin_timeout`].
    pub admin_timeout_ms: u64,
    /// Maximum number of concurrent requests.
    pub concurrent_requests: usize,
    /// Maximum number of concurrent exports.
    pub concurrent_exports: usize,
    /// See [`Limits::drain_timeout`].
    pub drain_timeout_ms: u64,
    /// Maximum number of partitions that a recall without a user id searches.
    pub fan_out_partitions: u32,
    /// Maximum number of change sets in the commit queue.
    pub commits_waiting: usize,
    /// Number of recalls per partition that the access log keeps.
    pub recalls_kept: u32,
    /// Retention of idempotency keys, in days.
    pub requests_kept_days: u32,
}

/// Log.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// Log level, or `tracing` filter directives.
    pub level: String,
    /// Format of log lines.
    pub format: LogFormat,
}

/// Format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// Plain text.
    Text,
    /// One JSON object per line.
    Json,
}

impl Limits {
    /// Timeout for the head of the next request on a connection.
    pub fn idle_timeout(&self) -> Duration {
        Duration::from_millis(self.idle_timeout_ms)
    }

    /// Timeout for the arrival of a request body.
    pub fn body_timeout(&self) -> Duration {
        Duration::from_millis(self.body_timeout_ms)
    }

    /// Timeout for the client to take the next byte of a response.
    pub fn send_timeout(&self) -> Duration {
        Duration::from_millis(self.send_timeout_ms)
    }

    /// Timeout of a request until its response begins.
    pub fn request_timeout(&self) -> Duration {
        Duration::from_millis(self.request_timeout_ms)
    }

    /// Timeout of requests on the whole store.
    pub fn admin_timeout(&self) -> Duration {
        Duration::from_millis(self.admin_timeout_ms)
    }

    /// Time for open requests to finish at shutdown.
    pub fn drain_timeout(&self) -> Duration {
        Duration::from_millis(self.drain_timeout_ms)
    }
}

impl Config {
    /// Limits of the engine: its defaults, with the configurable ones replaced. Limits documented by the API are
    /// fixed.
    pub fn engine_limits(&self) -> EngineLimits {
        EngineLimits {
            graph_bytes: self.index.graph_budget_bytes,
            fan_out_partitions: self.limits.fan_out_partitions,
            commits_waiting: self.limits.commits_waiting,
            recalls_kept: self.limits.recalls_kept,
            requests_kept_days: self.limits.requests_kept_days,
            ..EngineLimits::default()
        }
    }
}
