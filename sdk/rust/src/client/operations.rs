//! The operations that only read. See [`writes`](super::writes) for the others.

use uuid::Uuid;

use super::transport::Request;
use super::{Client, Error};
use crate::wire::{
    Health, History, Job, ListMemories, Memory, MemoryPage, RecallRequest, RecallResponse, Version,
    WhyNotRequest, WhyNotResponse,
};

/// Reading. Every method fails with [`Error::Problem`] if the server refuses, with [`Error::Transport`] or
/// [`Error::TimedOut`] if it cannot be reached.
impl Client {
    /// What is remembered that bears on a question.
    pub async fn recall(&self, request: &RecallRequest) -> Result<RecallResponse, Error> {
        self.json(Request::post("v1/recall", request)?).await
    }

    /// Why a memory does not come back for a question.
    pub async fn why_not(&self, request: &WhyNotRequest) -> Result<WhyNotResponse, Error> {
        self.json(Request::post("v1/recall/why-not", request)?).await
    }

    /// A page of the memories of a scope. [`Client::all_memories`] goes through all pages.
    pub async fn list_memories(&self, request: &ListMemories) -> Result<MemoryPage, Error> {
        self.json(Request::post("v1/memories/list", request)?).await
    }

    /// A memory in its present version.
    pub async fn memory(&self, id: Uuid) -> Result<Memory, Error> {
        self.json(Request::get(format!("v1/memories/{id}"))).await
    }

    /// All versions of a memory, oldest first.
    pub async fn history(&self, id: Uuid) -> Result<History, Error> {
        self.json(Request::get(format!("v1/memories/{id}/history"))).await
    }

    /// A background job. [`Client::jobs`] lists them.
    pub async fn job(&self, id: Uuid) -> Result<Job, Error> {
        self.json(Request::get(format!("v1/jobs/{id}"))).await
    }

    /// Whether the server is alive.
    pub async fn health(&self) -> Result<Health, Error> {
        self.json(Request::get("health")).await
    }

    /// Whether the server can serve: an [`Error::Problem`] or [`Error::Status`] of status 503 as long as it cannot.
    pub async fn ready(&self) -> Result<Health, Error> {
        self.json(Request::get("ready")).await
    }

    /// Which server this is, and which embedder it uses.
    pub async fn version(&self) -> Result<Version, Error> {
        self.json(Request::get("version")).await
    }

    /// The server's metrics, in Prometheus' text format.
    pub async fn metrics(&self) -> Result<String, Error> {
        self.text(Request::get("metrics")).await
    }

    /// The description of the API, as OpenAPI.
    pub async fn openapi(&self) -> Result<serde_json::Value, Error> {
        self.json(Request::get("openapi.json")).await
    }
}
