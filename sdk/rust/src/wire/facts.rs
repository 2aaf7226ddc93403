//! Facts: previews of extraction, and audits.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::memory::Scope;
use super::null_as_default;
use super::remember::NewTurn;

/// Body of `POST /v1/facts/preview`: facts that thinking would store for these turns. Nothing is stored.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PreviewFacts {
    /// Scope whose facts the candidates are compared with.
    pub scope: Scope,
    /// Turns, 1 to 64, in the order of the conversation.
    pub turns: Vec<NewTurn>,
}

/// Response to [`PreviewFacts`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PreviewedFacts {
    /// Maker: `facts.rules`, or `facts by` and the name of the language model.
    pub made_by: String,
    /// Candidate facts with what would become of them.
    pub facts: Vec<PreviewedFact>,
    /// Number of facts of the model that their evidence does not support.
    pub unsupported: u32,
    /// Calls of the language model.
    pub calls: u32,
    /// Tokens of the prompts.
    pub prompt_tokens: u64,
    /// Tokens of the replies.
    pub reply_tokens: u64,
}

/// Candidate fact of a preview.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PreviewedFact {
    /// Text.
    pub text: String,
    /// Subject.
    pub subject: String,
    /// Slot, if it fills one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attribute: Option<String>,
    /// Value alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// Confidence, 0 to 1.
    pub confidence: f64,
    /// Positions in `turns` of the evidence, from 0.
    pub evidence: Vec<u32>,
    /// Outcome that thinking would give it.
    pub outcome: FactOutcome,
    /// Memories that the outcome concerns: the fact that it repeats, or those that it supersedes or contradicts.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub concerns: Vec<Uuid>,
    /// Code of the reason of a rejection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Outcome of a candidate fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum FactOutcome {
    /// Stored as a new fact.
    New,
    /// Repeats a known fact, which becomes more certain.
    Duplicate,
    /// Stored; ends the validity of known facts.
    Supersedes,
    /// Stored; contradicts known facts, and none can be preferred.
    Contradicts,
    /// Not stored.
    Rejected,
}

/// Body of `POST /v1/audit`: check the quality of the facts of a scope.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct AuditFacts {
    /// Scope.
    pub scope: Scope,
    /// Maximum number of examples per defect, 0 to 100. Default: 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub examples: Option<u32>,
}

/// Response to [`AuditFacts`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct FactAudit {
    /// Number of facts examined.
    pub facts: u64,
    /// True if the scope has more facts than one audit examines.
    pub is_partial: bool,
    /// Facts that extraction would refuse: instructions, secrets, fragments.
    pub junk: Defect,
    /// Facts that say the same as another valid one.
    pub duplicates: Defect,
    /// Facts whose only evidence repeats what was recalled before.
    pub loops: Defect,
    /// Facts without evidence.
    pub unsupported: Defect,
}

/// Number and share of facts with a defect.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Defect {
    /// Number of facts.
    pub count: u64,
    /// Share of the facts examined, 0 to 1.
    pub rate: f64,
    /// Ids of some of them.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<Uuid>,
}
