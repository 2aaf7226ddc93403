//! Removal of erased data from the files of the store, and backups: what an operator follows.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Place of the bytes of erased memories. An erasure is in effect at once for every reader, whatever this says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Purge {
    /// No file of the store holds them.
    Done,
    /// They may still be in a file of the store, because of reads or a backup in progress. The server removes them after
    /// that by itself; `GET /v1/admin/purge` tells when it is done.
    Pending,
    /// The database overwrites them at a time of its own, which it does not report: a database server, or an embedded
    /// file of more than 256 GiB.
    LeftToDatabase,
}

/// Response of `GET /v1/admin/purge`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PurgeStatus {
    /// State of all erasures so far: if it is `done`, then those that were answered with `pending` are done, too.
    pub state: Purge,
    /// Number of erasing transactions since the last complete purge.
    pub erasures: u64,
    /// Time of the oldest of them (RFC 3339), if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Number of backups that are being made, or wait on the server to be fetched.
    pub copies: u64,
}

/// Response of `POST /v1/admin/backup` and `GET /v1/admin/backup/{id}`: a backup that the server makes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Backup {
    /// Id.
    pub id: Uuid,
    /// State.
    pub state: BackupState,
    /// Code of the error once `state` is `failed`: a code of problems, such as `storage_full`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Number of bytes written so far.
    pub bytes: u64,
    /// Expected number of bytes; the size of the file once `state` is `ready`.
    pub total_bytes: u64,
    /// Time of the request that began it (RFC 3339).
    pub started_at: String,
}

/// State of a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum BackupState {
    /// It is being written.
    Running,
    /// The file is complete, and can be fetched once.
    Ready,
    /// It could not be written; the server's log says why.
    Failed,
}
