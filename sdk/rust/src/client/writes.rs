//! Write operations, each under an idempotency key: one key never executes twice.

use reqwest::Method;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::transport::Request;
use super::{Client, Error};
use crate::wire::{
    AddMemories, AddTurns, AddedMemories, AddedTurns, Backup, CheckReport, CheckRequest, DeleteMatching,
    DeleteOwner, DeletedMatching, DeletedOwner, EditMemory, Erased, GiveGrant, Grant, ImportRecords,
    ImportedRecords, Job, Memory, ReindexRequest, UndoChange, UndoJob, Undone,
};

/// Write operations, each under a new idempotency key, so that a lost response can be requested again.
impl Client {
    /// Write operations under a key of yours. With one key per piece of work, over all attempts and restarts of your
    /// program, it is executed once. Keys are separate per owner and per operation.
    pub fn keyed(&self, key: impl Into<String>) -> KeyedWrite<'_> {
        KeyedWrite { client: self, key: key.into() }
    }

    /// Appends turns to a session. They are found by their words when the call returns, and by their
    /// meaning unless the answer's `indexing` says otherwise.
    pub async fn add_turns(&self, request: &AddTurns) -> Result<AddedTurns, Error> {
        self.newly_keyed().add_turns(request).await
    }

    /// Adds finished memories. They are found by their words when the call returns, and by their
    /// meaning unless the answer's `indexing` says otherwise.
    pub async fn add_memories(&self, request: &AddMemories) -> Result<AddedMemories, Error> {
        self.newly_keyed().add_memories(request).await
    }

    /// Writes records of an export as they were. It needs no idempotency key: records are known by their ids.
    pub async fn import_records(&self, request: &ImportRecords) -> Result<ImportedRecords, Error> {
        self.newly_keyed().send(Request::post("v1/import", request)?).await
    }

    /// Gives a principal read access to memories of an owner.
    pub async fn give_grant(&self, request: &GiveGrant) -> Result<Grant, Error> {
        self.newly_keyed().give_grant(request).await
    }

    /// Creates a new version of a memory.
    pub async fn edit_memory(&self, id: Uuid, edit: &EditMemory) -> Result<Memory, Error> {
        self.newly_keyed().edit_memory(id, edit).await
    }

    /// Erases a memory and everything derived from it.
    pub async fn delete_memory(&self, id: Uuid) -> Result<Erased, Error> {
        self.newly_keyed().delete_memory(id).await
    }

    /// Erases the memories that match a filter, in two calls; see [`DeleteMatching`].
    pub async fn delete_matching(&self, request: &DeleteMatching) -> Result<DeletedMatching, Error> {
        self.newly_keyed().delete_matching(request).await
    }

    /// Erases an owner with everything of it, in two calls; see [`DeleteOwner`]. The data is deleted by the job in the
    /// response.
    pub async fn delete_owner(&self, request: &DeleteOwner) -> Result<DeletedOwner, Error> {
        self.newly_keyed().delete_owner(request).await
    }

    /// Starts a background job that embeds everything anew, or answers the one that does so already. While one changes to
    /// another embedder, the problem is `reindex_in_progress`.
    pub async fn reindex(&self, request: &ReindexRequest) -> Result<Job, Error> {
        self.newly_keyed().reindex(request).await
    }

    /// Cancels a background job that waits or runs, and answers it; one that is over stays as it is.
    pub async fn cancel_job(&self, id: Uuid) -> Result<Job, Error> {
        self.newly_keyed().cancel_job(id).await
    }

    /// Takes back all that a finished job made. If later work was built on it, the problem is `undo_has_dependents`, unless
    /// the request takes that back too.
    pub async fn undo_job(&self, id: Uuid, request: &UndoJob) -> Result<Undone, Error> {
        self.newly_keyed().undo_job(id, request).await
    }

    /// Takes back one version of a memory, with what was built on it if the request says so.
    pub async fn undo_change(&self, id: Uuid, request: &UndoChange) -> Result<Undone, Error> {
        self.newly_keyed().undo_change(id, request).await
    }

    /// Compares the index with the store, and repairs it on request.
    pub async fn check(&self, request: &CheckRequest) -> Result<CheckReport, Error> {
        self.newly_keyed().check(request).await
    }

    /// Starts a backup, or answers the one that is in progress.
    pub async fn start_backup(&self) -> Result<Backup, Error> {
        self.newly_keyed().start_backup().await
    }

    fn newly_keyed(&self) -> KeyedWrite<'_> {
        self.keyed((self.ids)().to_string())
    }
}

/// Write under a given idempotency key; see [`Client::keyed`]. Each method consumes the key.
#[derive(Debug)]
pub struct KeyedWrite<'a> {
    client: &'a Client,
    key: String,
}

impl KeyedWrite<'_> {
    /// See [`Client::add_turns`].
    pub async fn add_turns(self, request: &AddTurns) -> Result<AddedTurns, Error> {
        self.send(Request::post("v1/turns", request)?).await
    }

    /// See [`Client::add_memories`].
    pub async fn add_memories(self, request: &AddMemories) -> Result<AddedMemories, Error> {
        self.send(Request::post("v1/memories", request)?).await
    }

    /// See [`Client::give_grant`].
    pub async fn give_grant(self, request: &GiveGrant) -> Result<Grant, Error> {
        self.send(Request::post("v1/grants", request)?).await
    }

    /// See [`Client::edit_memory`].
    pub async fn edit_memory(self, id: Uuid, edit: &EditMemory) -> Result<Memory, Error> {
        self.send(Request::new(Method::PATCH, format!("v1/memories/{id}")).json(edit)?).await
    }

    /// See [`Client::delete_memory`].
    pub async fn delete_memory(self, id: Uuid) -> Result<Erased, Error> {
        self.send(Request::new(Method::DELETE, format!("v1/memories/{id}"))).await
    }

    /// See [`Client::delete_matching`].
    pub async fn delete_matching(self, request: &DeleteMatching) -> Result<DeletedMatching, Error> {
        self.send(Request::post("v1/memories/delete", request)?).await
    }

    /// See [`Client::delete_owner`].
    pub async fn delete_owner(self, request: &DeleteOwner) -> Result<DeletedOwner, Error> {
        self.send(Request::post("v1/owners/delete", request)?).await
    }

    /// See [`Client::reindex`].
    pub async fn reindex(self, request: &ReindexRequest) -> Result<Job, Error> {
        self.send(Request::post("v1/admin/reindex", request)?).await
    }

    /// See [`Client::cancel_job`].
    pub async fn cancel_job(self, id: Uuid) -> Result<Job, Error> {
        self.send(Request::new(Method::POST, format!("v1/jobs/{id}/cancel"))).await
    }

    /// See [`Client::undo_job`].
    pub async fn undo_job(self, id: Uuid, request: &UndoJob) -> Result<Undone, Error> {
        self.send(Request::post(format!("v1/jobs/{id}/undo"), request)?).await
    }

    /// See [`Client::undo_change`].
    pub async fn undo_change(self, id: Uuid, request: &UndoChange) -> Result<Undone, Error> {
        self.send(Request::post(format!("v1/memories/{id}/undo"), request)?).await
    }

    /// See [`Client::check`].
    pub async fn check(self, request: &CheckRequest) -> Result<CheckReport, Error> {
        self.send(Request::post("v1/admin/check", request)?).await
    }

    /// See [`Client::start_backup`].
    pub async fn start_backup(self) -> Result<Backup, Error> {
        self.send(Request::new(Method::POST, "v1/admin/backup")).await
    }

    async fn send<T: DeserializeOwned>(self, request: Request) -> Result<T, Error> {
        self.client.json(request.key(&self.key)?).await
    }
}
