//! Grants: read access of one principal to chosen memories of another.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::filter::Filter;
use super::memory::Scope;

/// Body of `POST /v1/grants`: give a principal of the tenant read access to memories. Exactly one of `memory_ids`, `tag` and
/// `filter` says which.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct GiveGrant {
    /// Owner of the memories, by exactly one id.
    pub scope: Scope,
    /// User, agent, app or run that may read them, by exactly one id. It may have no memories of its own.
    pub to: Scope,
    /// Ids of the memories, at most 256. A memory with an `audience` is opened in no other way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_ids: Option<Vec<Uuid>>,
    /// Tag of the memories: those that get it later are opened too, and those that lose it are closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Filter of the memories: later ones that pass it are opened too. Dates are read in the time zone of the owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<Filter>,
    /// Time from which the grant opens nothing (RFC 3339; a date is the beginning of that day in the time zone of the owner of the
    /// memories). Default: no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
}

/// User, agent, app or run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Principal {
    /// Kind: `user`, `agent`, `app` or `run`.
    pub kind: String,
    /// Id.
    pub id: String,
}

/// Grant: read access of a principal to memories of an owner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Grant {
    /// Id of the grant.
    pub id: Uuid,
    /// Owner of the memories.
    pub giver: Principal,
    /// Principal that may read them.
    pub grantee: Principal,
    /// Ids of the memories, without those that were erased since; absent for a grant by tag or filter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_ids: Option<Vec<Uuid>>,
    /// Tag of the memories.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Filter of the memories, with its times in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<Filter>,
    /// State of the grant.
    pub state: GrantState,
    /// Time at which it was given.
    pub given_at: String,
    /// Id of the caller that gave it.
    pub given_by: Uuid,
    /// Time from which it opens nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// Time of its revocation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<String>,
    /// Id of the caller that revoked it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_by: Option<Uuid>,
}

/// State of a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum GrantState {
    /// It opens its memories.
    Open,
    /// Its time is over.
    Expired,
    /// It was revoked.
    Revoked,
}

impl GrantState {
    /// Name of the state in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

/// Direction of the grants of a principal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum GrantDirection {
    /// Grants that it has given.
    #[default]
    Given,
    /// Grants that it has received.
    Received,
}

impl GrantDirection {
    /// Name of the direction in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Given => "given",
            Self::Received => "received",
        }
    }
}

/// Response of `GET /v1/grants`: a page of grants.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct GrantList {
    /// Grants, oldest first.
    pub grants: Vec<Grant>,
    /// Cursor of the next page; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// Entry of the audit log of a grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct GrantEvent {
    /// Id of the entry.
    pub id: Uuid,
    /// Time.
    pub at: String,
    /// Event: `given`, `revoked` or `used`.
    pub kind: String,
    /// Id of the caller that gave, revoked or read.
    pub caller: Uuid,
    /// Recall that read through the grant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recall_id: Option<Uuid>,
    /// Number of memories that it read, those in the context block included; 0 for other events.
    pub memories: u32,
}

/// Response of `GET /v1/grants/{id}/events`: a page of the audit log of a grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct GrantEventList {
    /// Entries, newest first.
    pub events: Vec<GrantEvent>,
    /// Cursor of the next page; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// Grant through which a recall read a memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct GrantedBy {
    /// Id of the grant.
    pub grant_id: Uuid,
    /// Owner of the memory.
    pub owner: Principal,
}
