//! Requests about grants, in domain types. Bounds are checked by the operations.

use crate::domain::change::Idempotency;
use crate::domain::grant::Selection;
use crate::domain::id::GrantId;
use crate::domain::scope::Scope;
use crate::domain::time::Timestamp;

/// Request to give a grant.
#[derive(Clone, Debug)]
pub struct GiveGrant {
    /// Owner of the memories, by exactly one id.
    pub scope: Scope,
    /// Principal that may read them, by exactly one id.
    pub to: Scope,
    /// Memories that are opened.
    pub selection: Selection,
    /// Time from which the grant opens nothing; `None` for a grant without an end.
    pub expires_at: Option<Timestamp>,
    /// Idempotency key; the grant keeps its digest.
    pub idempotency: Option<Idempotency>,
}

/// Request to list grants.
#[derive(Clone, Debug)]
pub struct ListGrants {
    /// Giver or grantee, by exactly one id.
    pub scope: Scope,
    /// True for the grants that it has received, false for those that it has given.
    pub received: bool,
    /// True for open grants alone.
    pub only_open: bool,
    /// Last grant of the page before.
    pub after: Option<GrantId>,
    /// Maximum number of grants.
    pub limit: u32,
}
