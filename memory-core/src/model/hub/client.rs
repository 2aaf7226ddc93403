//! HTTP client of a model hub: the listing of a repository and its files, by the two requests that every hub and mirror
//! of Hugging Face's kind supports.
//!
//! `GET api/models/REPOSITORY/revision/REVISION?blobs=true` returns the commit and every file with its size and, for
//! large ones, sha256. `GET REPOSITORY/resolve/COMMIT/FILE` returns a file, through a redirect to its storage.
//! Invariants: every answer is bounded in bytes and every wait in time; the token is sent to the hub alone, not to the
//! target of a redirect.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use reqwest::header::{ACCEPT_ENCODING, CONTENT_RANGE, RANGE};
use reqwest::{RequestBuilder, Response, StatusCode};
use serde::Deserialize;

use super::{HubError, HubSettings};
use crate::model::cached::MAX_FILE_BYTES;
use crate::model::tls;

/// Timeout of the connection.
const CONNECT_WITHIN: Duration = Duration::from_secs(15);
/// Timeout between two reads of an answer.
const SILENCE_WITHIN: Duration = Duration::from_secs(60);
/// Maximum number of redirects.
const MAX_REDIRECTS: usize = 5;
/// Maximum size of a repository's listing, in bytes.
const MAX_LISTING_BYTES: u64 = 8 << 20;
/// Maximum length of a commit's name, in bytes; a sha256 has 64.
const MAX_REVISION_BYTES: usize = 64;

/// Client of a hub with these settings.
#[derive(Debug)]
pub(super) struct HubClient {
    http: reqwest::Client,
    settings: HubSettings,
}

/// Listing of a repository at a commit.
#[derive(Debug)]
pub(super) struct Listing {
    pub(super) repository: String,
    pub(super) revision: String,
    pub(super) files: BTreeMap<String, Announced>,
}

/// Metadata of a file in the listing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Announced {
    pub(super) bytes: Option<u64>,
    pub(super) sha256: Option<String>,
}

#[derive(Deserialize)]
struct ModelInfo {
    sha: String,
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    lfs: Option<Lfs>,
}

#[derive(Deserialize)]
struct Lfs {
    sha256: Option<String>,
}

impl HubClient {
    pub(super) fn new(settings: &HubSettings) -> Result<Self, HubError> {
        let endpoint = settings.endpoint.trim_end_matches('/').to_owned();
        let secure = endpoint.starts_with("https://");
        if !secure && !endpoint.starts_with("http://") {
            let reason = "it must begin with http:// or https://".to_owned();
            return Err(HubError::Setting { what: "HF_ENDPOINT", reason });
        }
        let tls = tls::client_config()
            .map_err(|error| HubError::Setting { what: "TLS", reason: error.to_string() })?;
        let http = reqwest::Client::builder()
            .user_agent(concat!("engrain/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_WITHIN)
            .read_timeout(SILENCE_WITHIN)
            .redirect(reqwest::redirect::Policy::limited(MAX_REDIRECTS))
            .https_only(secure) // no redirect leads to where anybody on the way can read or write
            .tls_backend_preconfigured(tls)
            .build()
            .map_err(|error| HubError::Setting { what: "the HTTP client", reason: causes(error) })?;
        Ok(Self { http, settings: HubSettings { endpoint, ..settings.clone() } })
    }

    /// Listing of the repository at this revision, a branch or a commit.
    pub(super) async fn listing(&self, repository: &str, revision: &str) -> Result<Listing, HubError> {
        let path = format!("api/models/{repository}/revision/{revision}?blobs=true");
        let answer =
            self.with_retries(async || self.whole(&path, repository, MAX_LISTING_BYTES).await).await?;
        let malformed = |reason: String| HubError::Answer { what: repository.to_owned(), reason };
        let info: ModelInfo = serde_json::from_slice(&answer)
            .map_err(|error| malformed(format!("the hub does not answer with a list of files: {error}")))?;
        let is_commit = info.sha.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !is_commit || info.sha.is_empty() || info.sha.len() > MAX_REVISION_BYTES {
            return Err(malformed("the hub names no commit".to_owned()));
        }
        let files = info.siblings.into_iter().map(|file| {
            let sha256 = file.lfs.and_then(|lfs| lfs.sha256).map(|sha256| sha256.to_lowercase());
            (file.rfilename, Announced { bytes: file.size, sha256 })
        });
        Ok(Listing { repository: repository.to_owned(), revision: info.sha, files: files.collect() })
    }

    /// Contents of a small file.
    pub(super) async fn small(&self, listing: &Listing, file: &str, limit: u64) -> Result<Vec<u8>, HubError> {
        let path = format!("{}/resolve/{}/{file}", listing.repository, listing.revision);
        self.with_retries(async || self.whole(&path, file, limit).await).await
    }

    /// Downloads a file into `part`, continuing an earlier attempt. `progress` gets the number of bytes present.
    pub(super) async fn download(
        &self,
        listing: &Listing,
        file: &str,
        part: &Path,
        progress: &mut (dyn FnMut(u64) + Send),
    ) -> Result<(), HubError> {
        self.with_retries(async || self.try_download(listing, file, part, progress).await).await
    }

    async fn try_download(
        &self,
        listing: &Listing,
        file: &str,
        part: &Path,
        progress: &mut (dyn FnMut(u64) + Send),
    ) -> Result<(), HubError> {
        let expected = listing.files.get(file).and_then(|announced| announced.bytes);
        let storage = |source| HubError::Storage { path: part.to_owned(), source };
        let mut output = OpenOptions::new().create(true).append(true).open(part).map_err(storage)?;
        let mut done = output.metadata().map_err(storage)?.len();
        if expected.is_some_and(|expected| done > expected) {
            done = start_anew(&output, part)?;
        }
        if expected == Some(done) && done > 0 {
            return Ok(());
        }
        let mut request = self.get(&format!("{}/resolve/{}/{file}", listing.repository, listing.revision));
        if done > 0 {
            request = request.header(RANGE, format!("bytes={done}-"));
        }
        let mut response = request.send().await.map_err(|error| self.unreachable(error))?;
        let goes_on = response.status() == StatusCode::PARTIAL_CONTENT && begins_at(&response, done);
        if !goes_on && done > 0 {
            done = start_anew(&output, part)?; // the hub sends it from its beginning, or refuses to go on
        }
        if !response.status().is_success() || (response.status() == StatusCode::PARTIAL_CONTENT && !goes_on) {
            return Err(self.status(response.status(), file));
        }
        while let Some(bytes) = response.chunk().await.map_err(|error| self.unreachable(error))? {
            done += bytes.len() as u64;
            if done > expected.unwrap_or(MAX_FILE_BYTES).min(MAX_FILE_BYTES) {
                start_anew(&output, part)?;
                return Err(HubError::TooLarge {
                    what: file.to_owned(),
                    limit: expected.unwrap_or(MAX_FILE_BYTES),
                });
            }
            output.write_all(&bytes).map_err(storage)?;
            progress(done);
        }
        output.sync_all().map_err(storage)?;
        match expected {
            Some(expected) if expected != done => {
                Err(HubError::Incomplete { file: file.to_owned(), found: done, expected })
            }
            _ => Ok(()),
        }
    }

    async fn whole(&self, path: &str, what: &str, limit: u64) -> Result<Vec<u8>, HubError> {
        let mut response = self.get(path).send().await.map_err(|error| self.unreachable(error))?;
        if !response.status().is_success() {
            return Err(self.status(response.status(), what));
        }
        let mut answer = Vec::new();
        while let Some(bytes) = response.chunk().await.map_err(|error| self.unreachable(error))? {
            if (answer.len() + bytes.len()) as u64 > limit {
                return Err(HubError::TooLarge { what: what.to_owned(), limit });
            }
            answer.extend_from_slice(&bytes);
        }
        Ok(answer)
    }

    /// Retries transient failures.
    async fn with_retries<T>(
        &self,
        mut attempt: impl AsyncFnMut() -> Result<T, HubError>,
    ) -> Result<T, HubError> {
        let mut tries = 0;
        loop {
            match attempt().await {
                Err(error) if error.is_transient() && tries < self.settings.retries => tries += 1,
                result => return result,
            }
            tokio::time::sleep(self.settings.backoff * tries).await;
        }
    }

    fn get(&self, path: &str) -> RequestBuilder {
        let request = self.http.get(format!("{}/{path}", self.settings.endpoint));
        // Digests and sizes are those of the files, not of a compressed transfer.
        let request = request.header(ACCEPT_ENCODING, "identity");
        match &self.settings.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    fn status(&self, status: StatusCode, what: &str) -> HubError {
        let hub = self.settings.endpoint.clone();
        HubError::Status { hub, what: what.to_owned(), status: status.as_u16() }
    }

    fn unreachable(&self, error: reqwest::Error) -> HubError {
        if error.is_builder() {
            let reason = "it holds characters that cannot be sent".to_owned();
            return HubError::Setting { what: "HF_ENDPOINT or HF_TOKEN", reason };
        }
        HubError::Unreachable { hub: self.settings.endpoint.clone(), reason: causes(error) }
    }
}

/// True if the answer continues at this byte.
fn begins_at(response: &Response, byte: u64) -> bool {
    let range = response.headers().get(CONTENT_RANGE).and_then(|value| value.to_str().ok());
    range.and_then(|range| range.strip_prefix("bytes ")?.split('-').next()?.parse().ok()) == Some(byte)
}

fn start_anew(output: &File, part: &Path) -> Result<u64, HubError> {
    output.set_len(0).map_err(|source| HubError::Storage { path: part.to_owned(), source })?;
    Ok(0)
}

/// Error with its causes, without the address: that of a download contains a signature.
fn causes(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
