//! Checks that an owner can be given settings of its own, before the other writes of a request.

use super::owner::owner;
use super::owner_settings::{OwnerSettings, OwnerValue, too_many_owners};
use crate::domain::id::TenantId;
use crate::domain::scope::{Caller, Owner, Scope};
use crate::engine::{Engine, needs_write};
use crate::error::Error;

/// Setting that an owner can have of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnSetting {
    /// Profile of thinking.
    ThinkingProfile,
    /// Time zone.
    Timezone,
    /// Forgetting policy.
    ForgettingPolicy,
}

impl Engine {
    /// Checks that the owner of a scope can be given a setting, which is in the field `at` of a request.
    ///
    /// # Errors
    /// [`Error::OverLimit`] if too many owners have one; [`Error`] when the scope is invalid or the caller lacks the right to
    /// write.
    pub fn may_have_own(
        &self,
        caller: &Caller,
        scope: &Scope,
        setting: OwnSetting,
        at: &str,
    ) -> Result<(), Error> {
        needs_write(caller)?;
        let of = (caller.tenant, owner(scope)?);
        match setting {
            OwnSetting::ThinkingProfile => check_room(&self.thinking.profiles, of, at),
            OwnSetting::Timezone => check_room(&self.zones, of, at),
            OwnSetting::ForgettingPolicy => check_room(&self.policies, of, at),
        }
    }
}

fn check_room<V: OwnerValue>(
    settings: &OwnerSettings<V>,
    (tenant, owner): (TenantId, Owner),
    at: &str,
) -> Result<(), Error> {
    if settings.has_room_for(tenant, &owner) { Ok(()) } else { Err(too_many_owners::<V>(at)) }
}
