//! Usage of language models in the store port: calls, tokens and cost, by owner, day, task and model.

use std::fmt::Debug;

use async_trait::async_trait;

use super::StoreError;
use crate::domain::id::{PartitionId, TenantId};

/// Maximum number of entries that [`UsageLedger::usage`] returns.
pub const USAGE_ENTRIES_AT_MOST: u32 = 10_000;

/// Use of a language model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Number of calls that were answered.
    pub calls: u64,
    /// Number of replies among them that were refused as invalid.
    pub refused_replies: u64,
    /// Number of calls without an answer.
    pub failures: u64,
    /// Number of tokens of the prompts.
    pub prompt_tokens: u64,
    /// Number of tokens of the replies.
    pub reply_tokens: u64,
    /// Cost, in millionths of the currency unit that the prices are configured in.
    pub cost_micros: u64,
}

/// Use of one model for one task on one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageEntry {
    /// Day of the calls, in days since 1970 in UTC.
    pub day: i64,
    /// Task: `extract`, `organise`.
    pub task: String,
    /// Name of the model.
    pub model: String,
    /// The use.
    pub usage: Usage,
}

/// Account of model calls. It holds numbers and names of models, never texts.
#[async_trait]
pub trait UsageLedger: Send + Sync + Debug {
    /// Adds to the account of a partition.
    async fn add_usage(&self, partition: PartitionId, entries: &[UsageEntry]) -> Result<(), StoreError>;

    /// Account of a partition of the tenant, or the sums over all its partitions, from a day on: newest day first, then
    /// in the order of tasks and models, at most [`USAGE_ENTRIES_AT_MOST`].
    async fn usage(
        &self,
        tenant: TenantId,
        partition: Option<PartitionId>,
        since_day: i64,
    ) -> Result<Vec<UsageEntry>, StoreError>;
}
