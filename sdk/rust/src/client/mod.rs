//! Client of the REST API: one method per operation, with the operation's name.
//!
//! Invariant: **a retry never repeats a write.** Requests are retried when the connection breaks or the server is
//! busy. Writes carry an idempotency key, generated unless the caller gives one ([`Client::keyed`]), so that the
//! server recognises a repetition. A request that reaches the client's timeout is not retried, because the caller
//! expects an answer within it.

mod builder;
mod error;
mod forgetting;
mod grants;
mod graph;
mod operations;
mod pages;
mod retry;
mod streams;
mod thinking;
mod transport;
mod uses;
mod working_memory;
mod writes;

use std::fmt;
use std::time::Duration;

use reqwest::Url;

pub use builder::ClientBuilder;
pub use error::Error;
pub use forgetting::ForgottenQuery;
pub use grants::GrantQuery;
pub use graph::{GraphOptions, NeighboursQuery};
pub use pages::{JobQuery, SessionQuery};
pub use retry::RetryPolicy;
pub use writes::KeyedWrite;

/// Client of one server. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    timeout: Duration,
    retry: RetryPolicy,
    max_answer_bytes: usize,
    ids: builder::IdSource,
}

impl Client {
    /// Client with default settings of the server at `base_url`, such as `http://127.0.0.1:7070`.
    ///
    /// # Errors
    /// [`Error::InvalidUrl`] if the address is invalid.
    pub fn new(base_url: impl Into<String>) -> Result<Self, Error> {
        Self::builder(base_url).build()
    }

    /// Builder of a client with other settings.
    pub fn builder(base_url: impl Into<String>) -> ClientBuilder {
        ClientBuilder::new(base_url)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}
