//! Client builder: address, API key, timeouts, retries. Invalid settings are refused here and not at the first
//! request.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use uuid::Uuid;

use super::{Client, Error, RetryPolicy};

/// Source of the ids behind idempotency keys and retry jitter.
pub(super) type IdSource = Arc<dyn Fn() -> Uuid + Send + Sync>;

/// Builder of a [`Client`]; see [`Client::builder`].
pub struct ClientBuilder {
    base_url: String,
    api_key: Option<String>,
    timeout: Duration,
    connect_timeout: Duration,
    retry: RetryPolicy,
    max_answer_bytes: usize,
    ids: IdSource,
}

impl ClientBuilder {
    pub(super) fn new(base_url: impl Into<String>) -> Self {
        Self {
            base_url: base_url.into(),
            api_key: None,
            timeout: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(5),
            retry: RetryPolicy::default(),
            max_answer_bytes: 256 << 20,
            ids: Arc::new(random_id),
        }
    }

    /// API key, sent as a bearer token with every request. Default: none.
    #[must_use]
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.api_key = Some(key.into());
        self
    }

    /// Timeout of one attempt, from connecting to the last byte of the response. For a stream (export, backup) it
    /// bounds the time between two chunks instead of the total. Default: 60 s.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Timeout of connecting. Default: 5 s.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Retry policy of failed requests. Default: [`RetryPolicy::default`].
    #[must_use]
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Maximum size in bytes of a response, or of one line of an export. Default: 256 MiB.
    #[must_use]
    pub fn max_answer_bytes(mut self, bytes: usize) -> Self {
        self.max_answer_bytes = bytes;
        self
    }

    /// Source of idempotency keys and of the jitter between retries. Each id must be new, with at least its low 62
    /// bits random. Default: UUIDs of version 7.
    #[must_use]
    pub fn id_source(mut self, ids: impl Fn() -> Uuid + Send + Sync + 'static) -> Self {
        self.ids = Arc::new(ids);
        self
    }

    /// Builds the client.
    ///
    /// # Errors
    /// [`Error::InvalidUrl`] if the address is not `http` (or, with the feature `tls`, `https`) or has a query,
    /// [`Error::InvalidHeader`] for an API key that no header can carry, [`Error::Transport`] if TLS cannot be set up.
    pub fn build(self) -> Result<Client, Error> {
        let base = base_url(&self.base_url)?;
        let mut headers = HeaderMap::new();
        if let Some(key) = &self.api_key {
            let invalid = |_| Error::InvalidHeader { name: "API key" };
            let mut value = HeaderValue::from_str(&format!("Bearer {key}")).map_err(invalid)?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let http = reqwest::Client::builder()
            .user_agent(concat!("engrain-rust/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .connect_timeout(self.connect_timeout)
            .read_timeout(self.timeout)
            .redirect(reqwest::redirect::Policy::none());
        #[cfg(feature = "tls")]
        let http = http.tls_backend_preconfigured(tls(&self.base_url)?);
        let http = http.build().map_err(Error::Transport)?;
        Ok(Client {
            http,
            base,
            timeout: self.timeout,
            retry: self.retry,
            max_answer_bytes: self.max_answer_bytes,
            ids: self.ids,
        })
    }
}

/// Address with a trailing `/`, so that paths can be joined to it.
fn base_url(text: &str) -> Result<Url, Error> {
    let invalid = |reason: &str| Error::InvalidUrl { url: text.to_owned(), reason: reason.to_owned() };
    let mut url = Url::parse(text).map_err(|error| invalid(&error.to_string()))?;
    match url.scheme() {
        "http" => {}
        "https" if cfg!(feature = "tls") => {}
        "https" => return Err(invalid("this client is built without the feature `tls`")),
        _ => return Err(invalid("it must begin with http:// or https://")),
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(invalid("it must end with its path"));
    }
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}

/// TLS configuration: the system's trusted certificates, verified by rustls over ring.
#[cfg(feature = "tls")]
fn tls(base_url: &str) -> Result<rustls::ClientConfig, Error> {
    use rustls_platform_verifier::BuilderVerifierExt;

    let unusable = |error: rustls::Error| Error::InvalidUrl {
        url: base_url.to_owned(),
        reason: format!("TLS cannot be set up: {error}"),
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|config| config.with_platform_verifier())
        .map_err(unusable)?;
    Ok(config.with_no_client_auth())
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one default; a caller who needs other ids gives an id source"
)]
fn random_id() -> Uuid {
    Uuid::now_v7()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_addresses_are_refused() {
        for url in ["", "localhost:8080", "ftp://host", "http://", "http://host/?a=b", "http://host/#a"] {
            let refused = ClientBuilder::new(url).build();
            assert!(matches!(refused, Err(Error::InvalidUrl { .. })), "{url}");
        }
        let refused = ClientBuilder::new("http://host").api_key("line\nbreak").build();
        assert!(matches!(refused, Err(Error::InvalidHeader { name: "API key" })));
    }

    #[test]
    fn a_path_prefix_is_kept() {
        for url in ["http://host/memory", "http://host/memory/"] {
            assert_eq!(
                base_url(url).unwrap().join("v1/recall").unwrap().as_str(),
                "http://host/memory/v1/recall"
            );
        }
    }

    #[cfg(feature = "tls")]
    #[test]
    fn https_can_be_set_up() {
        assert!(ClientBuilder::new("https://memory.example.com").build().is_ok());
    }
}
