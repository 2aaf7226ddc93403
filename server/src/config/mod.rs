//! The configuration: what can be set, and what of it makes sense together.
//!
//! `config.default.toml` documents every key and is the only place with defaults; the types here must have exactly
//! its keys (a test holds them against each other). Invariant: a [`Config`] that [`load()`] answered has passed
//! [`Config::check`].

mod check;
mod load;
mod secret;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use memory_core::limits::Limits as EngineLimits;
use serde::{Deserialize, Serialize};

pub use check::BadConfig;
pub use load::{LoadError, Overrides, load};
pub use secret::Secret;

/// The file with every key, its default and its meaning.
pub const DEFAULTS: &str = include_str!("../../config.default.toml");

/// Everything that can be set.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where it listens.
    pub server: Server,
    /// Where everything is kept.
    pub store: Store,
    /// What embeds.
    pub model: Model,
    /// What searches.
    pub index: Index,
    /// How recall works by default.
    pub recall: RecallDefaults,
    /// What is bounded.
    pub limits: Limits,
    /// What is logged.
    pub log: Log,
}

/// Where the server listens.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Address and port.
    pub listen: SocketAddr,
    /// Whether it may listen beyond this machine though there are no keys.
    pub allow_remote_without_keys: bool,
}

/// Where everything is kept.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// The data directory; [`load()`] fills in what the environment says where no file does.
    #[serde(default)]
    pub data_dir: PathBuf,
    /// Connections that read at the same time.
    pub read_connections: u32,
}

/// What embeds.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// `auto`, `remote`, or the name of a local model.
    pub embedder: String,
    /// Where local models lie; [`load()`] fills in what the environment says where no file does.
    #[serde(default)]
    pub cache_dir: PathBuf,
    /// Threads for passages; 0 is one for each core.
    pub threads: usize,
    /// The service for `remote`.
    pub remote: Remote,
}

/// An embedding service.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Remote {
    /// Up to and without `/embeddings`.
    pub url: String,
    /// The model's name there.
    pub model: String,
    /// Numbers in a vector.
    pub dimension: usize,
    /// Its bearer token.
    pub api_key: Secret,
}

/// What searches.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Index {
    /// Memory for partitions, in bytes.
    pub memory_budget_bytes: usize,
    /// Searches at the same time; 0 is one for each core.
    pub threads: usize,
}

/// How recall works where a request does not say.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RecallDefaults {
    /// Memories that come back.
    pub limit: u32,
    /// Length of the context, in LLM tokens.
    pub budget_tokens: u32,
    /// Whether a cross-encoder reads candidates again.
    pub rerank: bool,
    /// How many it reads.
    pub rerank_candidates: u32,
    /// Which one.
    pub reranker: String,
    /// What counts how much.
    pub weights: Weights,
}

/// What counts how much.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Weights {
    /// The cosine.
    pub similarity: f32,
    /// Retention.
    pub retention: f32,
    /// Importance.
    pub importance: f32,
    /// BM25.
    pub lexical: f32,
    /// BM25 over a turn and those beside it.
    pub window: f32,
    /// What the turns before and after say.
    pub neighbours: f32,
    /// What a question says, for the turn after it.
    pub replies: f32,
    /// That the question names who said it.
    pub speaker: f32,
    /// That it happened at a time that the question names.
    pub time: f32,
}

/// What is bounded.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// The longest body, in bytes.
    pub body_bytes: usize,
    /// See [`Limits::body_timeout`].
    pub body_timeout_ms: u64,
    /// See [`Limits::request_timeout`].
    pub request_timeout_ms: u64,
    /// See [`Limits::admin_timeout`].
    pub admin_timeout_ms: u64,
    /// Requests at work at the same time.
    pub concurrent_requests: usize,
    /// See [`Limits::drain_timeout`].
    pub drain_timeout_ms: u64,
    /// Partitions that a recall without an owner searches.
    pub fan_out_partitions: u32,
    /// Writes that wait for the disk.
    pub commits_waiting: usize,
    /// Recalls of one partition that the access log keeps.
    pub recalls_kept: u32,
    /// See the file.
    pub requests_kept_days: u32,
}

/// What is logged.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// A level, or filters of `tracing`.
    pub level: String,
    /// For whom.
    pub format: LogFormat,
}

/// For whom a log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// People.
    Text,
    /// Machines: one JSON object per line.
    Json,
}

impl Limits {
    /// Time for a body to arrive.
    pub fn body_timeout(&self) -> Duration {
        Duration::from_millis(self.body_timeout_ms)
    }

    /// Time for a request until its answer begins.
    pub fn request_timeout(&self) -> Duration {
        Duration::from_millis(self.request_timeout_ms)
    }

    /// The same for work on the whole store.
    pub fn admin_timeout(&self) -> Duration {
        Duration::from_millis(self.admin_timeout_ms)
    }

    /// Time to finish what has begun, at the end.
    pub fn drain_timeout(&self) -> Duration {
        Duration::from_millis(self.drain_timeout_ms)
    }
}

impl Config {
    /// The engine's bounds: its own, with those that can be set. Bounds that the API documents cannot be.
    pub fn engine_limits(&self) -> EngineLimits {
        EngineLimits {
            fan_out_partitions: self.limits.fan_out_partitions,
            commits_waiting: self.limits.commits_waiting,
            recalls_kept: self.limits.recalls_kept,
            requests_kept_days: self.limits.requests_kept_days,
            ..EngineLimits::default()
        }
    }
}
