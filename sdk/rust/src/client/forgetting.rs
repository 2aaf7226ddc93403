//! Operations on forgetting: policies, sweeps, previews, restores, pins. All of them may be repeated.

use reqwest::Method;
use uuid::Uuid;

use super::pages::scoped;
use super::transport::Request;
use super::{Client, Error};
use crate::wire::{
    ForgettingPolicyState, ForgottenPage, Job, MemoryPin, PreviewSweep, PreviewedSweep, RestoreForgotten,
    RestoredForgotten, Scope, SetForgettingPolicy, SweepMemories,
};

/// Query of [`Client::forgotten`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ForgottenQuery {
    /// Scope, whose owner has the memories.
    pub scope: Scope,
    /// Reason for which they are forgotten: `faded`, `evicted` or `drawn`. Default: any.
    pub reason: Option<String>,
    /// Effect, as recorded: `demote`, `exclude`, `cold` or `delete`. Default: any.
    pub effect: Option<String>,
    /// Maximum number of memories on the page, 1 to 1,000. Default: 100.
    pub limit: Option<u32>,
    /// Cursor of the page: the `next_cursor` of the previous page. Default: the first page.
    pub cursor: Option<String>,
}

/// Operations on forgetting. Errors are those of the other operations.
impl Client {
    /// Returns the forgetting policy of a scope.
    pub async fn forgetting_policy(&self, scope: &Scope) -> Result<ForgettingPolicyState, Error> {
        self.json(scoped(Request::get("v1/forgetting/policy"), scope)).await
    }

    /// Sets the forgetting policy of the owner of a scope.
    pub async fn set_forgetting_policy(
        &self,
        request: &SetForgettingPolicy,
    ) -> Result<ForgettingPolicyState, Error> {
        self.json(Request::new(Method::PUT, "v1/forgetting/policy").json(request)?).await
    }

    /// Starts a sweep of the memories of an owner; returns its job.
    pub async fn sweep_memories(&self, request: &SweepMemories) -> Result<Job, Error> {
        self.json(Request::post("v1/forgetting/sweep", request)?).await
    }

    /// Previews a sweep. Nothing is changed.
    pub async fn preview_sweep(&self, request: &PreviewSweep) -> Result<PreviewedSweep, Error> {
        self.json(Request::post("v1/forgetting/preview", request)?).await
    }

    /// Restores forgotten memories.
    pub async fn restore_forgotten(&self, request: &RestoreForgotten) -> Result<RestoredForgotten, Error> {
        self.json(Request::post("v1/forgetting/restore", request)?).await
    }

    /// Returns a page of the forgotten memories of an owner, those found last first.
    pub async fn forgotten(&self, query: &ForgottenQuery) -> Result<ForgottenPage, Error> {
        let request = scoped(Request::get("v1/forgetting"), &query.scope);
        let request = request.query("reason", query.reason.as_ref()).query("effect", query.effect.as_ref());
        self.json(request.query("limit", query.limit).query("cursor", query.cursor.as_ref())).await
    }

    /// Pins a memory, which is then never forgotten, or releases it.
    pub async fn pin_memory(&self, id: Uuid, pinned: bool) -> Result<MemoryPin, Error> {
        let request = Request::new(Method::PUT, format!("v1/memories/{id}/pin"));
        self.json(request.json(&MemoryPin { pinned })?).await
    }
}
