//! Read operations. See [`writes`](super::writes) for the others.

use futures::TryStreamExt;
use uuid::Uuid;

use super::transport::Request;
use super::{Client, Error};
use crate::wire::{
    Backup, Health, History, Job, ListMemories, Memory, MemoryPage, Provenance, PurgeStatus, RecallRequest,
    RecallResponse, Version, WhyNotRequest, WhyNotResponse,
};

/// Read operations. Every method fails with [`Error::Problem`] if the server refuses, and with [`Error::Transport`] or
/// [`Error::TimedOut`] if it cannot be reached.
impl Client {
    /// Recalls the memories relevant to a query.
    pub async fn recall(&self, request: &RecallRequest) -> Result<RecallResponse, Error> {
        self.json(Request::post("v1/recall", request)?).await
    }

    /// Explains why a recall does not return a memory.
    pub async fn why_not(&self, request: &WhyNotRequest) -> Result<WhyNotResponse, Error> {
        self.json(Request::post("v1/recall/why-not", request)?).await
    }

    /// Returns a page of the memories of a scope. [`Client::all_memories`] reads all pages.
    pub async fn list_memories(&self, request: &ListMemories) -> Result<MemoryPage, Error> {
        self.json(Request::post("v1/memories/list", request)?).await
    }

    /// Returns the current version of a memory.
    pub async fn memory(&self, id: Uuid) -> Result<Memory, Error> {
        self.json(Request::get(format!("v1/memories/{id}"))).await
    }

    /// Returns all versions of a memory, oldest first, from as many pages as they take. [`Client::all_versions`] holds one
    /// page at a time.
    pub async fn history(&self, id: Uuid) -> Result<History, Error> {
        Ok(History { versions: self.all_versions(id).try_collect().await?, next_cursor: None })
    }

    /// Returns a page of the versions of a memory, oldest first: at most `limit`, from `cursor` on.
    pub async fn history_page(
        &self,
        id: Uuid,
        limit: Option<u32>,
        cursor: Option<&str>,
    ) -> Result<History, Error> {
        let request = Request::get(format!("v1/memories/{id}/history"));
        self.json(request.query("limit", limit).query("cursor", cursor)).await
    }

    /// Returns how the present version of a memory came to be: maker, job and inputs.
    pub async fn provenance(&self, id: Uuid) -> Result<Provenance, Error> {
        self.json(Request::get(format!("v1/memories/{id}/provenance"))).await
    }

    /// Returns the state of a background job. [`Client::jobs`] lists them.
    pub async fn job(&self, id: Uuid) -> Result<Job, Error> {
        self.json(Request::get(format!("v1/jobs/{id}"))).await
    }

    /// State of the bytes of erased memories in the files of the store.
    pub async fn purge(&self) -> Result<PurgeStatus, Error> {
        self.json(Request::get("v1/admin/purge")).await
    }

    /// Progress of a backup that [`Client::start_backup`] began.
    pub async fn backup_progress(&self, id: Uuid) -> Result<Backup, Error> {
        self.json(Request::get(format!("v1/admin/backup/{id}"))).await
    }

    /// Checks that the server is alive.
    pub async fn health(&self) -> Result<Health, Error> {
        self.json(Request::get("health")).await
    }

    /// Checks that the server is ready. Until then, fails with an [`Error::Problem`] or [`Error::Status`] of status
    /// 503.
    pub async fn ready(&self) -> Result<Health, Error> {
        self.json(Request::get("ready")).await
    }

    /// Returns the version of the server and its embedder.
    pub async fn version(&self) -> Result<Version, Error> {
        self.json(Request::get("version")).await
    }

    /// Returns the server's metrics in the Prometheus text format.
    pub async fn metrics(&self) -> Result<String, Error> {
        self.text(Request::get("metrics")).await
    }

    /// Returns the OpenAPI document of the server.
    pub async fn openapi(&self) -> Result<serde_json::Value, Error> {
        self.json(Request::get("openapi.json")).await
    }
}
