//! Maintenance of the store port: integrity, copies, old idempotency keys and settings.

use std::fmt::Debug;

use async_trait::async_trait;

use super::StoreError;
use crate::domain::time::Timestamp;

/// Kind of damage, with its number of occurrences.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Stable code of the kind.
    pub code: &'static str,
    /// Description.
    pub detail: String,
    /// Number of occurrences.
    pub count: u64,
    /// True if it was repaired.
    pub repaired: bool,
}

/// Place of the bytes of erased memories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purge {
    /// No file of the store holds them.
    Done,
    /// They may still be in a file of the store, and are removed in the background.
    Pending,
    /// The database overwrites them at a time of its own, which it does not report: a server, or SQLite with a file that
    /// is too large for its unused bytes to be overwritten.
    LeftToDatabase,
}

/// Committed erasures whose bytes may still be in files of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PurgeDebt {
    /// State of all committed erasures together.
    pub state: Purge,
    /// Number of change sets that erased something since the last complete purge.
    pub erasures: u64,
    /// Time of the oldest of them; `None` without one, and for one of an earlier process.
    pub since: Option<Timestamp>,
}

impl PurgeDebt {
    /// No debt.
    pub const NONE: Self = Self { state: Purge::Done, erasures: 0, since: None };
    /// No debt of the store itself, over a database that overwrites erased bytes by itself.
    pub const LEFT_TO_DATABASE: Self = Self { state: Purge::LeftToDatabase, ..Self::NONE };
}

/// Maximum time that a purge waits for reads that began before an erasure. Writes wait meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PurgeWait {
    /// No time.
    None,
    /// 20 ms: hardly longer than the sync of a commit.
    Brief,
    /// 1 s: longer than nearly all reads.
    Long,
}

/// Maintenance of the store.
#[async_trait]
pub trait Maintenance: Send + Sync + Debug {
    /// Checks the integrity of the store; with `repair`, repairs what can be repaired without loss.
    async fn check(&self, repair: bool) -> Result<Vec<Damage>, StoreError>;

    /// Writes a consistent copy of the whole store to a new file, concurrently with reads and writes.
    async fn copy_to(&self, file: &std::path::Path) -> Result<(), StoreError>;

    /// Erasures whose bytes may still be in files of the store. An erasure is among them from the return of its commit
    /// on, until its bytes are gone; the death of the process does not remove it. So [`Purge::Done`] right after a commit
    /// includes the erasures of that commit.
    fn purge_debt(&self) -> PurgeDebt;

    /// Completes when the state is [`Purge::Pending`], or other work of [`Maintenance::purge`] has come up.
    async fn purge_due(&self);

    /// Tries to remove the bytes of erased memories from all files of the store, and returns what is left. Reads of a
    /// state before an erasure prevent it, and are waited for at most `wait`.
    async fn purge(&self, wait: PurgeWait) -> Result<PurgeDebt, StoreError>;

    /// Deletes idempotency keys older than `before`, and returns their number.
    async fn forget_requests(&self, before: Timestamp) -> Result<u64, StoreError>;

    /// Value of a setting.
    async fn setting(&self, name: &str) -> Result<Option<String>, StoreError>;

    /// Writes a setting.
    async fn put_setting(&self, name: &str, value: &str) -> Result<(), StoreError>;
}
