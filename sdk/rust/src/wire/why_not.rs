//! Why-not: the reason why a recall does not return a memory.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::memory::ForgottenState;
use super::recall::{Explain, RecallRequest};

/// Body of `POST /v1/recall/why-not`: explain why a recall does not return a memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct WhyNotRequest {
    /// Id of the memory to explain.
    pub memory_id: Uuid,
    /// Recall that did not return the memory.
    pub recall: RecallRequest,
}

/// Response of `POST /v1/recall/why-not`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct WhyNotResponse {
    /// Reason as a code.
    pub verdict: WhyNot,
    /// Reason in words.
    pub reason: String,
    /// Rank of the memory among all candidates, from 1, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank: Option<u32>,
    /// Fused score of the memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f32>,
    /// Fused score of the last returned memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score_of_last: Option<f32>,
    /// Set for a memory that is forgotten at the recall's reference time, whatever the verdict: since when, for which reason and with
    /// which effect. Absent for a memory that the scope or the partner may not see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forgotten: Option<ForgottenState>,
    /// Contributions of the signals to the memory's score.
    pub explain: Explain,
}

/// Reason why a recall does not return a memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum WhyNot {
    /// The recall returns it.
    Returned,
    /// The scope has no such memory.
    NotInScope,
    /// The memory had expired at the recall's reference time.
    Expired,
    /// The memory was forgotten at the recall's reference time: `forgotten` says why.
    Forgotten,
    /// The memory is not shared, and the scope does not name its owner.
    NotVisible,
    /// The memory does not pass the filter.
    Filtered,
    /// The memory is not valid at the recall's valid time: its validity has ended or not begun, or it is a turn said
    /// later.
    NotValid,
    /// The memory may not be told to the recall's partner.
    NotForPartner,
    /// The memory was recorded after the recall's record time.
    NotRecorded,
    /// Other memories have higher scores.
    Outranked,
    /// The recall returns it, but its text does not fit into the context block.
    CutByBudget,
}
