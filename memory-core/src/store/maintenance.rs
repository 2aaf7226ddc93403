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

/// Maintenance of the store.
#[async_trait]
pub trait Maintenance: Send + Sync + Debug {
    /// Checks the integrity of the store; with `repair`, repairs what can be repaired without loss.
    async fn check(&self, repair: bool) -> Result<Vec<Damage>, StoreError>;

    /// Writes a consistent copy of the whole store to a new file, concurrently with reads and writes.
    async fn copy_to(&self, file: &std::path::Path) -> Result<(), StoreError>;

    /// Deletes idempotency keys older than `before`, and returns their number.
    async fn forget_requests(&self, before: Timestamp) -> Result<u64, StoreError>;

    /// Value of a setting.
    async fn setting(&self, name: &str) -> Result<Option<String>, StoreError>;

    /// Writes a setting.
    async fn put_setting(&self, name: &str, value: &str) -> Result<(), StoreError>;
}
