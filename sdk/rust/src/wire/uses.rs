//! Uses of memories: feedback on recalls, the retention of a memory, and memories that are about to fade.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::archive::{ForgottenRecord, MemoryUse};
use super::memory::{Kind, Scope};
use super::null_as_default;

/// Evidence that a recalled memory was needed, from the weakest to the strongest; a contradiction replaces all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The recall returned it.
    Returned,
    /// It was put into the context block.
    InContext,
    /// The answer cited it.
    Cited,
    /// The user confirmed or repeated it.
    Confirmed,
    /// The user contradicted it.
    Contradicted,
}

/// Response of `GET /v1/recalls/{id}` and `POST /v1/recalls/{id}/feedback`: what the access log has of a recall.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct LoggedRecall {
    /// Id of the recall.
    pub recall_id: Uuid,
    /// Reference time of the recall (RFC 3339).
    pub recalled_at: String,
    /// Memories that it returned, best first, without those that were erased since.
    pub hits: Vec<LoggedHit>,
}

/// Memory that a recall returned.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct LoggedHit {
    /// Id of the memory.
    pub memory_id: Uuid,
    /// Fused score in the recall.
    pub score: f32,
    /// Strongest evidence that it was needed.
    pub outcome: Outcome,
}

/// Body of `POST /v1/recalls/{id}/feedback`: what the memories that a recall returned turned out to be good for. Each list has at
/// most 200 ids, all of them returned by the recall; an id cannot be both confirmed and contradicted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RecallFeedback {
    /// Scope of the recall.
    pub scope: Scope,
    /// Ids of memories that the answer cited.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub used: Vec<Uuid>,
    /// Ids of memories that the user confirmed or repeated.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub confirmed: Vec<Uuid>,
    /// Ids of memories that the user contradicted.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub contradicted: Vec<Uuid>,
    /// Time of the feedback (RFC 3339; a date is the beginning of that day in the owner's time zone), not in the future.
    /// Default: now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<String>,
}

/// Query of `GET /v1/memories/{id}/retention`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RetentionQuery {
    /// Name of the curve, such as `fsrs6`. Default: that of the owner's policy.
    pub curve: Option<String>,
    /// First moment of the points. Default: the time at which the memory was learned.
    pub from: Option<String>,
    /// Last moment of the points. Default: 30 days after now, or after the last use.
    pub to: Option<String>,
    /// Number of points, 2 to 512. Default: 96.
    pub points: Option<u32>,
    /// Reference time. Default: now.
    pub now: Option<String>,
}

/// Response of `GET /v1/memories/{id}/retention`: the forgetting curve of a memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct MemoryRetention {
    /// Id of the memory.
    pub memory_id: Uuid,
    /// Name of the curve.
    pub curve: String,
    /// Reference time (RFC 3339).
    pub now: String,
    /// Retention R at the reference time, 0 to 1.
    pub retention: f64,
    /// Strength S at the reference time, as the curve defines it: in days for most. Not comparable between curves.
    pub strength: f64,
    /// Time of the last refresh before the reference time (RFC 3339): of learning, or of a use.
    pub refreshed_at: String,
    /// Threshold u of the memory, 0 to 1, fixed by its id: it has faded while R is below it.
    pub threshold: f64,
    /// Moment from which R is below the threshold, if the memory is not used after the reference time (RFC 3339); `null` for never.
    /// It does not depend on what the owner's policy does with faded memories.
    pub fades_at: Option<String>,
    /// True if it is pinned: never forgotten.
    pub pinned: bool,
    /// Importance, 0 to 1.
    pub importance: f64,
    /// Cosine to the nearest memory that the owner had when it was learned, -1 to 1; absent if it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nearest_cosine: Option<f32>,
    /// Time at which it was learned (RFC 3339).
    pub learned_at: String,
    /// Number of uses before those of `uses`, without times.
    pub earlier_uses: u32,
    /// Newest uses, at most 64, oldest first, those after the reference time included.
    pub uses: Vec<MemoryUse>,
    /// Record of its forgetting; absent while it is not forgotten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forgotten: Option<ForgottenRecord>,
    /// The curve with all uses, at evenly spaced moments.
    pub points: Vec<RetentionPoint>,
}

/// Point of a forgetting curve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RetentionPoint {
    /// Moment (RFC 3339).
    pub at: String,
    /// Retention R, 0 to 1.
    pub retention: f64,
}

/// Query of `GET /v1/fading`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FadingQuery {
    /// Scope.
    pub scope: Scope,
    /// Days ahead, 1 to 36,500. Default: 7.
    pub within_days: Option<u32>,
    /// Maximum number of memories, 1 to 1,000. Default: 20.
    pub limit: Option<u32>,
    /// Reference time. Default: now.
    pub now: Option<String>,
}

/// Response of `GET /v1/fading`: memories that are about to fade and are worth refreshing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct FadingMemories {
    /// Name of the curve, that of the owner's policy.
    pub curve: String,
    /// Reference time (RFC 3339).
    pub now: String,
    /// End of the window, included (RFC 3339).
    pub until: String,
    /// Number of all memories that fade in the window and are worth refreshing.
    pub total: u64,
    /// The first of them, soonest first; under the rule `conditional_draw`, those whose retention is below .5 at the end of the
    /// window, lowest first.
    pub memories: Vec<FadingMemory>,
}

/// Memory that is about to fade.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct FadingMemory {
    /// Id of the memory.
    pub memory_id: Uuid,
    /// Kind of the memory.
    pub kind: Kind,
    /// Beginning of its text, at most 200 characters.
    pub excerpt: String,
    /// Moment from which its retention is below its threshold, if it is not used any more (RFC 3339); absent under the rule
    /// `conditional_draw`, where a sweep draws what it forgets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fades_at: Option<String>,
    /// Retention R at the reference time, 0 to 1.
    pub retention: f64,
    /// Strength S at the reference time, as the curve defines it.
    pub strength: f64,
    /// Importance, 0 to 1.
    pub importance: f64,
    /// Number of uses.
    pub uses: u64,
}
