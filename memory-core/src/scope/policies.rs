//! Forgetting policy of an owner: a setting of the owner, beside that of the engine for all others.

use std::sync::Arc;

use super::owner::owner;
use super::owner_settings::{OwnerValue, too_many_owners};
use crate::domain::forgotten::Effect;
use crate::domain::id::TenantId;
use crate::domain::scope::{Caller, Owner, Scope};
use crate::engine::{Engine, needs_delete, needs_read, needs_write};
use crate::error::Error;
use crate::index::Forgetting;
use crate::retention::Policy;

/// Forgetting policy of a scope.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicyState {
    /// Policy in use.
    pub policy: Arc<Policy>,
    /// True if the owner of the scope has a policy of its own.
    pub is_own: bool,
}

impl OwnerValue for Arc<Policy> {
    const SETTING: &'static str = "owner.forgetting";
    const FIELD: &'static str = "policy";
    const LIMITED: &'static str = "the number of owners with a forgetting policy of their own";

    fn to_text(&self) -> String {
        serde_json::to_string(&**self).unwrap_or_default()
    }

    fn from_text(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok().filter(|policy: &Policy| policy.violation().is_none()).map(Arc::new)
    }
}

impl Engine {
    /// Forgetting policy of a scope.
    ///
    /// # Errors
    /// [`Error`] when the scope is invalid or the caller lacks the right to read.
    pub fn forgetting_policy(&self, caller: &Caller, scope: &Scope) -> Result<PolicyState, Error> {
        needs_read(caller)?;
        Ok(self.policy_state(caller.tenant, &owner(scope)?))
    }

    /// Sets the forgetting policy of the owner of a scope; `None` returns to that of the engine. It holds from the next
    /// recall on, for all memories of the owner: what the earlier one had forgotten is judged anew.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the field that is out of its bounds; [`Error::OverLimit`] if too many owners have a policy;
    /// [`Error`] when the scope is invalid, the caller lacks the right to write, or to delete for the effect
    /// `delete`, or the store fails.
    pub async fn set_forgetting_policy(
        &self,
        caller: &Caller,
        scope: &Scope,
        policy: Option<Policy>,
    ) -> Result<PolicyState, Error> {
        needs_write(caller)?;
        let owner = owner(scope)?;
        if let Some(policy) = &policy {
            self.may_set_forgetting_policy(caller, policy, <Arc<Policy> as OwnerValue>::FIELD)?;
        }
        let policy = policy.map(Arc::new);
        if !self.policies.set(&self.store, (caller.tenant, owner.clone()), policy).await? {
            return Err(too_many_owners::<Arc<Policy>>("policy"));
        }
        Ok(self.policy_state(caller.tenant, &owner))
    }

    /// Checks that a caller may set a policy, which is in the field `at` of a request.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the field that is out of its bounds; [`Error::Forbidden`] without the right to write, or to
    /// delete for the effect `delete`.
    pub fn may_set_forgetting_policy(&self, caller: &Caller, policy: &Policy, at: &str) -> Result<(), Error> {
        needs_write(caller)?;
        if policy.effect == Some(Effect::Delete) {
            needs_delete(caller)?;
        }
        match policy.violation() {
            Some((field, rule)) => Err(Error::invalid(format!("{at}.{field}"), rule)),
            None => Ok(()),
        }
    }

    /// Forgetting policy in use for an owner. It is in memory.
    pub(crate) fn policy_of(&self, tenant: TenantId, owner: &Owner) -> Arc<Policy> {
        self.policies.of(tenant, owner).unwrap_or_else(|| Arc::clone(&self.forgetting))
    }

    /// Forgetting of a recall of the memories of an owner: forgotten ones are hidden if the policy says so.
    pub(crate) fn forgetting_of(&self, tenant: TenantId, owner: &Owner) -> Forgetting {
        Forgetting { policy: self.policy_of(tenant, owner), includes_forgotten: false }
    }

    fn policy_state(&self, tenant: TenantId, owner: &Owner) -> PolicyState {
        let is_own = self.policies.of(tenant, owner).is_some();
        PolicyState { policy: self.policy_of(tenant, owner), is_own }
    }
}
