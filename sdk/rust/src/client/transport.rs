//! HTTP transport: retries where they are safe, and bounded reading of responses.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Method, Response, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::retry::{chance_of, is_temporary_status, parse_retry_after};
use super::{Client, Error};
use crate::wire::Problem;

/// Maximum size of an error response, in bytes.
const MAX_PROBLEM_BYTES: usize = 64 << 10;
/// Length of the excerpt of an error response without problem details.
const MAX_SHOWN_CHARS: usize = 300;

/// Request that can be sent repeatedly.
pub(super) struct Request {
    method: Method,
    path: String,
    query: Vec<(&'static str, String)>,
    body: Option<Bytes>,
    idempotency_key: Option<HeaderValue>,
}

impl Request {
    pub(super) fn new(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), query: Vec::new(), body: None, idempotency_key: None }
    }

    pub(super) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    pub(super) fn post(path: impl Into<String>, body: &impl Serialize) -> Result<Self, Error> {
        Self::new(Method::POST, path).json(body)
    }

    pub(super) fn json(mut self, body: &impl Serialize) -> Result<Self, Error> {
        self.body = Some(serde_json::to_vec(body).map_err(Error::Encode)?.into());
        Ok(self)
    }

    pub(super) fn query(mut self, name: &'static str, value: Option<impl ToString>) -> Self {
        self.query.extend(value.map(|value| (name, value.to_string())));
        self
    }

    pub(super) fn key(mut self, key: &str) -> Result<Self, Error> {
        let invalid = |_| Error::InvalidHeader { name: "idempotency key" };
        self.idempotency_key = Some(HeaderValue::from_str(key).map_err(invalid)?);
        Ok(self)
    }

    /// Name of the operation in errors, such as `POST /v1/recall`.
    pub(super) fn operation(&self) -> String {
        format!("{} /{}", self.method, self.path)
    }
}

/// Extent of the timeout on a response.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Pace {
    /// The whole response within the client's timeout.
    Whole,
    /// Each chunk within the client's timeout.
    Stream,
}

impl Client {
    /// Sends `request` and parses the JSON of its response.
    pub(super) async fn json<T: DeserializeOwned>(&self, request: Request) -> Result<T, Error> {
        let response = self.send(&request, Pace::Whole).await?;
        let body = self.body(response, self.max_answer_bytes, &request).await?;
        serde_json::from_slice(&body)
            .map_err(|source| Error::Decode { operation: request.operation(), source })
    }

    /// Sends `request` and reads the text of its response; invalid UTF-8 is replaced.
    pub(super) async fn text(&self, request: Request) -> Result<String, Error> {
        let response = self.send(&request, Pace::Whole).await?;
        let body = self.body(response, self.max_answer_bytes, &request).await?;
        Ok(String::from_utf8_lossy(&body).into_owned())
    }

    /// Sends `request` until it succeeds, fails permanently, or exhausts its retries.
    pub(super) async fn send(&self, request: &Request, pace: Pace) -> Result<Response, Error> {
        let mut retry = 0;
        loop {
            let (error, asked) = match self.attempt(request, pace).await {
                Ok(response) if response.status().is_success() => return Ok(response),
                Ok(response) => self.refusal(response, request).await,
                Err(error) => (self.broken(error), None),
            };
            let again = match &error {
                Error::Transport(_) => true,
                other => other.status().is_some_and(is_temporary_status),
            };
            match self.retry.wait(retry, asked, chance_of((self.ids)())) {
                Some(wait) if again => tokio::time::sleep(wait).await,
                _ => return Err(error),
            }
            retry += 1;
        }
    }

    async fn attempt(&self, request: &Request, pace: Pace) -> Result<Response, reqwest::Error> {
        let mut sending = self.http.request(request.method.clone(), self.url(request));
        if pace == Pace::Whole {
            sending = sending.timeout(self.timeout);
        }
        if let Some(key) = &request.idempotency_key {
            sending = sending.header("idempotency-key", key.clone());
        }
        if let Some(body) = &request.body {
            sending = sending.header(CONTENT_TYPE, "application/json").body(body.clone());
        }
        sending.header(ACCEPT, "application/json, application/problem+json;q=0.9, */*;q=0.8").send().await
    }

    fn url(&self, request: &Request) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{}", self.base.path(), request.path));
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&request.query);
        }
        url
    }

    /// Error of an unsuccessful response, with the wait that the server asks for.
    async fn refusal(&self, response: Response, request: &Request) -> (Error, Option<Duration>) {
        let status = response.status().as_u16();
        let asked = retry_after(response.headers());
        let body = match self.body(response, MAX_PROBLEM_BYTES, request).await {
            Ok(body) => body,
            Err(Error::TooLong { .. }) => Vec::new(),
            Err(error) => return (error, asked),
        };
        let error = match serde_json::from_slice::<Problem>(&body) {
            Ok(problem) => Error::Problem(Box::new(Problem { status, ..problem })),
            Err(_) => {
                let body = String::from_utf8_lossy(&body).chars().take(MAX_SHOWN_CHARS).collect();
                Error::Status { status, body }
            }
        };
        (error, asked)
    }

    async fn body(
        &self,
        mut response: Response,
        limit_bytes: usize,
        request: &Request,
    ) -> Result<Vec<u8>, Error> {
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|error| self.broken(error))? {
            if body.len() + piece.len() > limit_bytes {
                return Err(Error::TooLong { operation: request.operation(), limit_bytes });
            }
            body.extend_from_slice(&piece);
        }
        Ok(body)
    }

    pub(super) fn broken(&self, error: reqwest::Error) -> Error {
        // A connection timeout never reached the server, so it is a transport error.
        if error.is_timeout() && !error.is_connect() {
            Error::TimedOut(self.timeout)
        } else {
            Error::Transport(error)
        }
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok().and_then(parse_retry_after)
}
