//! The client: one method per operation of the API, named as the operation is.
//!
//! Invariant: **a retry never doubles.** Reads are sent again when the connection breaks or the server is busy; writes
//! carry an idempotency key, made here unless the caller gives one ([`Client::keyed`]), so that the server knows a
//! repetition. What runs into the client's time-out is not sent again: who sets a time-out wants an answer by then.

mod builder;
mod error;
mod operations;
mod pages;
mod retry;
mod streams;
mod transport;
mod writes;

use std::fmt;
use std::time::Duration;

use reqwest::Url;

pub use builder::ClientBuilder;
pub use error::Error;
pub use pages::{JobQuery, SessionQuery};
pub use retry::RetryPolicy;
pub use writes::KeyedWrite;

/// A client of one server. Cheap to clone; clones share their connections.
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
    /// A client with the default settings of the server at `base_url`, such as `http://127.0.0.1:8080`.
    ///
    /// # Errors
    /// [`Error::InvalidUrl`] if there can be no server at such an address.
    pub fn new(base_url: impl Into<String>) -> Result<Self, Error> {
        Self::builder(base_url).build()
    }

    /// A client with settings of your own.
    pub fn builder(base_url: impl Into<String>) -> ClientBuilder {
        ClientBuilder::new(base_url)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}
