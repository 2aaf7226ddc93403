//! Language model of the tests: replies come from a closure over the request, without HTTP.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;

use super::{
    Finish, LanguageModel, LanguageModelError, ModelIdentity, ModelReply, ModelRequest, REPLY_BYTES_AT_MOST,
    Usage,
};

type Script = dyn Fn(&ModelRequest) -> ScriptedReply + Send + Sync;

/// Reply of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScriptedReply {
    /// Complete reply.
    Text(String),
    /// Reply that ends at the limit of tokens.
    Truncated(String),
    /// Reply that the back end withheld.
    Filtered,
    /// Failure.
    Fails(LanguageModelError),
    /// No reply, ever.
    Hangs,
}

impl From<&str> for ScriptedReply {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for ScriptedReply {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// Language model that follows a script and records what it was asked. Usage is estimated.
pub struct ScriptedLanguageModel {
    identity: ModelIdentity,
    script: Box<Script>,
    requests: Mutex<Vec<ModelRequest>>,
    forgotten: Mutex<usize>,
}

impl ScriptedLanguageModel {
    /// Model `scripted/fake` whose replies the closure computes from the requests.
    pub fn new<R: Into<ScriptedReply>>(
        script: impl Fn(&ModelRequest) -> R + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            identity: ModelIdentity { backend: "scripted".into(), model: "fake".into() },
            script: Box::new(move |request| script(request).into()),
            requests: Mutex::default(),
            forgotten: Mutex::default(),
        })
    }

    /// Model that gives these replies in order; [`LanguageModelError::Stopped`] after the last.
    pub fn steps<R: Into<ScriptedReply>>(replies: impl IntoIterator<Item = R>) -> Arc<Self> {
        let replies: Vec<ScriptedReply> = replies.into_iter().map(Into::into).collect();
        let left = Mutex::new(replies.into_iter());
        Self::new(move |_| left.lock().next().unwrap_or(ScriptedReply::Fails(LanguageModelError::Stopped)))
    }

    /// Requests so far, in order.
    pub fn requests(&self) -> Vec<ModelRequest> {
        self.requests.lock().clone()
    }

    /// Number of calls of [`LanguageModel::forget`].
    pub fn forgotten(&self) -> usize {
        *self.forgotten.lock()
    }
}

#[async_trait]
impl LanguageModel for ScriptedLanguageModel {
    fn identity(&self) -> &ModelIdentity {
        &self.identity
    }

    async fn complete(&self, request: &ModelRequest) -> Result<ModelReply, LanguageModelError> {
        self.requests.lock().push(request.clone());
        let (text, finish) = match (self.script)(request) {
            ScriptedReply::Text(text) => (text, Finish::Stop),
            ScriptedReply::Truncated(text) => (text, Finish::Length),
            ScriptedReply::Filtered => (String::new(), Finish::Filtered),
            ScriptedReply::Fails(error) => return Err(error),
            ScriptedReply::Hangs => std::future::pending().await,
        };
        if text.len() > REPLY_BYTES_AT_MOST {
            return Err(LanguageModelError::TooLarge { bytes_at_most: REPLY_BYTES_AT_MOST });
        }
        let usage = Usage::estimate(request, &text);
        Ok(ModelReply { text, usage, finish, from_cache: false })
    }

    fn forget(&self, _request: &ModelRequest) {
        *self.forgotten.lock() += 1;
    }
}

impl fmt::Debug for ScriptedLanguageModel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ScriptedLanguageModel").finish_non_exhaustive()
    }
}
