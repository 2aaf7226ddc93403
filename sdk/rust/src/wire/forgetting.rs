//! Forgetting: policies, sweeps, previews, restores, pins.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::jobs::Job;
use super::memory::Scope;
use super::{null_as_default, null_or_value};

/// Forgetting policy. Fields that are left out have their defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct ForgettingPolicy {
    /// Forgetting curve: `none`, `memorybank.paper`, `memorybank.intended`, `memorybank.asreleased`, `wixted`, `actr`, `fsrs6`
    /// or `hlr`.
    pub curve: String,
    /// Weight of the retention in the ranking, 0 to 100; `null` for that of recall.
    pub weight: Option<f32>,
    /// Effect on memories whose retention is below their threshold: `none`, `demote`, `exclude`, `cold` or `delete`.
    pub effect: String,
    /// Rule by which memories fade: `fixed_threshold`, `conditional_draw` if each sweep draws, or `quota_alone` if only the quota
    /// forgets.
    pub rule: String,
    /// Days for which a forgotten memory is kept before it is erased, with the effect `delete`; at most 36,500.
    pub grace_days: u32,
    /// Maximum number of memories that are not forgotten, at least 1; `null` for no quota. It needs an effect other than
    /// `none`.
    pub quota_memories: Option<u64>,
    /// Order of eviction beyond the quota: `curve`, `lru`, `fifo`, `random` or `importance`.
    pub eviction: String,
    /// Weakest evidence that counts as a use: `returned`, `in_context`, `cited` or `confirmed`.
    pub counts_from: String,
    /// Interval after a use in which further ones do not count, in seconds.
    pub refractory_seconds: u64,
    /// Factors on the initial strength by kind, 0.01 to 10,000.
    pub initial_strengths: InitialStrengths,
    /// Factor on the initial strength of a memory of importance 1, 0.01 to 10,000; its reciprocal at importance 0.
    pub importance_gain: f64,
    /// Factor on the initial strength of a memory that is unlike all that its owner had when it was learned, 0.01 to 10,000; its
    /// reciprocal for a repetition. 1: surprise does not matter and is not measured.
    pub surprise_gain: f64,
    /// Cosine to the nearest memory at which the factor by surprise is 1, 0 to 0.99.
    pub surprise_midpoint: f64,
}

impl Default for ForgettingPolicy {
    fn default() -> Self {
        Self {
            curve: "memorybank.paper".to_owned(),
            weight: None,
            effect: "none".to_owned(),
            rule: "fixed_threshold".to_owned(),
            grace_days: 30,
            quota_memories: None,
            eviction: "curve".to_owned(),
            counts_from: "in_context".to_owned(),
            refractory_seconds: 3_600,
            initial_strengths: InitialStrengths::default(),
            importance_gain: 1.0,
            surprise_gain: 1.0,
            surprise_midpoint: 0.85,
        }
    }
}

/// Factors on the initial strength by kind; 1 is the curve as published.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct InitialStrengths {
    /// Of turns.
    pub turn: f64,
    /// Of facts.
    pub fact: f64,
    /// Of thoughts.
    pub thought: f64,
    /// Of notes.
    pub note: f64,
    /// Of digests.
    pub digest: f64,
    /// Of documents.
    pub document: f64,
}

impl Default for InitialStrengths {
    fn default() -> Self {
        Self { turn: 1.0, fact: 1.0, thought: 1.0, note: 1.0, digest: 4.0, document: 4.0 }
    }
}

/// Body of `PUT /v1/forgetting/policy`: forgetting policy of a scope.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SetForgettingPolicy {
    /// Scope, whose owner counts.
    pub scope: Scope,
    /// Policy; `null` for that of the configuration. Required.
    #[cfg_attr(feature = "schema", schema(required = true))]
    #[serde(deserialize_with = "null_or_value")]
    pub policy: Option<ForgettingPolicy>,
}

/// Response of `GET /v1/forgetting/policy`: forgetting policy of a scope.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ForgettingPolicyState {
    /// Policy in use.
    pub policy: ForgettingPolicy,
    /// True if it is that of the configuration, false if the owner of the scope has one of its own.
    pub is_default: bool,
}

/// Body of `POST /v1/forgetting/sweep`: sweep of the memories of an owner.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SweepMemories {
    /// Scope, whose owner counts.
    pub scope: Scope,
    /// Moment as of which memories are judged, not in the future: a preview looks ahead, a sweep does not. As of any moment, the
    /// grace period counts from the request. Default: the present.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<String>,
    /// True to answer when the sweep is over, or after a minute. Default: false.
    #[serde(default, deserialize_with = "null_as_default")]
    pub wait: bool,
}

/// Body of `POST /v1/forgetting/preview`: preview of a sweep.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PreviewSweep {
    /// Scope, whose owner counts.
    pub scope: Scope,
    /// Policy of the sweep, which need not be stored. Default: the one in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<ForgettingPolicy>,
    /// Moment as of which memories are judged, in the past or in the future. Default: the present; under the rule `conditional_draw` the preview is then of
    /// one possible draw, and with a moment that of the sweep as of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<String>,
    /// Maximum number of memories on the page, 1 to 1,000. Default: 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Cursor of the page: the `next_cursor` of the previous page. Default: the first page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// Numbers of memories that a sweep changes: of a preview, and the result of a job of the kind `forget`. There they are those of
/// the attempt that completed the job: what an attempt before it changed is not counted again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SweepCounts {
    /// Memories of the owner before the sweep.
    pub memories: u64,
    /// Memories that are not forgotten after the sweep.
    pub live: u64,
    /// Memories newly forgotten because they faded.
    pub faded: u64,
    /// Memories newly forgotten because the owner has more than its quota.
    pub evicted: u64,
    /// Memories newly forgotten by a draw, under the rule `conditional_draw`.
    #[serde(default)]
    pub drawn: u64,
    /// Memories newly forgotten, by kind.
    pub by_kind: std::collections::BTreeMap<String, u64>,
    /// Memories forgotten no longer.
    pub remembered: u64,
    /// Memories forgotten anew: with another effect, or after they were used and faded again.
    pub renewed: u64,
    /// Memories erased.
    pub erased: u64,
}

impl SweepCounts {
    /// Numbers of a sweep from its job; `None` for a job of another kind, and for one that is not done.
    pub fn of_job(job: &Job) -> Option<Self> {
        let result = job.result.as_ref().filter(|_| job.kind == "forget")?;
        serde_json::from_value(Value::Object(result.clone())).ok()
    }
}

/// Preview of a sweep. The numbers are of the whole sweep, the memories of one page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PreviewedSweep {
    /// Moment as of which memories are judged.
    pub now: String,
    /// Policy of the sweep.
    pub policy: ForgettingPolicy,
    /// Numbers of the whole sweep.
    #[serde(flatten)]
    pub counts: SweepCounts,
    /// Page of the memories that change, in the order of ids.
    pub changes: Vec<SweptMemory>,
    /// Cursor of the next page; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// Memory that a sweep changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SweptMemory {
    /// Id of the memory.
    pub id: Uuid,
    /// Kind of the memory.
    pub kind: String,
    /// Beginning of its text, at most 200 characters.
    pub excerpt: String,
    /// Change: `forget`, `remember`, `renew` or `erase`.
    pub change: String,
    /// Reason of its forgetting, after the sweep or before it: `faded`, `evicted` or `drawn`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Moment since when it is forgotten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Retention at the moment of the sweep, 0 to 1.
    pub retention: f64,
    /// Strength as the curve defines it, in days for most curves.
    pub strength: f64,
    /// Threshold below which it is forgotten, 0 to 1; under the rule `conditional_draw` that of this sweep.
    pub threshold: f64,
}

/// Body of `POST /v1/forgetting/restore`: forgotten memories to restore, by their ids or all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RestoreForgotten {
    /// Scope, whose owner counts.
    pub scope: Scope,
    /// Ids of the memories, at most 10,000. Those that are not forgotten are left as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_ids: Option<Vec<Uuid>>,
    /// True for all forgotten memories, 10,000 with each call. Default: false.
    #[serde(default, deserialize_with = "null_as_default")]
    pub all: bool,
    /// Moment of the restoration, from which their curves begin anew, not in the future. Default: the present.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<String>,
    /// True to record a use of each memory, confirmed, from which its curve begins anew; without it a memory that has faded is
    /// forgotten again at once, and one that was evicted or drawn is as before. Default: true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reinforce: Option<bool>,
}

/// Effect of a restoration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RestoredForgotten {
    /// Ids of the memories that were forgotten and are so no longer.
    pub restored: Vec<Uuid>,
    /// Number of memories of the owner that are still forgotten.
    pub left: u64,
}

/// Body of `PUT /v1/memories/{id}/pin`, and its response: pin of a memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct MemoryPin {
    /// True for a memory that is never forgotten.
    pub pinned: bool,
}

/// Page of forgotten memories, those found last first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ForgottenPage {
    /// Memories.
    pub memories: Vec<ForgottenMemory>,
    /// Cursor of the next page; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// Forgotten memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ForgottenMemory {
    /// Id of the memory.
    pub id: Uuid,
    /// Kind of the memory; absent if it cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Beginning of its text, at most 200 characters.
    pub excerpt: String,
    /// Reason: `faded`, `evicted` or `drawn`.
    pub reason: String,
    /// Effect: `demote`, `exclude`, `cold` or `delete`.
    pub effect: String,
    /// Moment at which its retention fell below the threshold, of its eviction, or of the sweep that drew it.
    pub since: String,
    /// Time at which the sweep that found it was requested, whatever moment it judged as of. The grace period counts from it.
    pub recorded_at: String,
    /// Name of the curve, or of the order of eviction.
    pub curve: String,
    /// Retention when it was found, 0 to 1.
    pub retention: f64,
    /// Threshold, 0 to 1.
    pub threshold: f64,
}
