//! Owner of a scope, pure.

use crate::domain::scope::{Owner, Scope};
use crate::error::Error;

/// Owner of a scope.
///
/// # Errors
/// [`Error::Invalid`] for a scope without ids.
pub(crate) fn owner(scope: &Scope) -> Result<Owner, Error> {
    scope
        .owner()
        .ok_or_else(|| Error::invalid("scope", "name at least one of user_id, agent_id, app_id, run_id"))
}
