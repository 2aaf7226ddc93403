//! Time zone of an owner: a setting of the owner, in which its days are counted (ADR 0040).

use super::owner::owner;
use super::owner_settings::{OwnerValue, too_many_owners};
use crate::domain::id::TenantId;
use crate::domain::scope::{Caller, Owner, Scope};
use crate::domain::zone::Zone;
use crate::engine::{Engine, needs_read, needs_write};
use crate::error::Error;

/// Time zone of a scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneState {
    /// Zone in use.
    pub zone: Zone,
    /// True if the owner of the scope has a zone of its own.
    pub is_own: bool,
}

impl OwnerValue for Zone {
    const SETTING: &'static str = "owner.zones";
    const FIELD: &'static str = "zone";
    const LIMITED: &'static str = "the number of owners with a time zone of their own";

    fn to_text(&self) -> String {
        self.name()
    }

    fn from_text(text: &str) -> Option<Self> {
        Self::parse(text)
    }
}

impl Engine {
    /// Time zone of a scope.
    ///
    /// # Errors
    /// [`Error`] when the scope is invalid or the caller lacks the right to read.
    pub fn timezone(&self, caller: &Caller, scope: &Scope) -> Result<ZoneState, Error> {
        needs_read(caller)?;
        owner(scope)?;
        let own = self.zone_of_scope(caller, scope);
        let is_own = own.is_some();
        Ok(ZoneState { zone: own.unwrap_or_else(|| self.recall_settings.zone.clone()), is_own })
    }

    /// Sets the time zone of the owner of a scope; `None` returns to that of the settings. Times that were given with an
    /// offset keep it, and days that facts name were counted when they were made. A job makes the digests of days again whose
    /// turns are now on other days.
    ///
    /// # Errors
    /// [`Error`] when the scope is invalid, too many owners have a zone, the caller lacks the right to write, or the store
    /// fails.
    pub async fn set_timezone(
        &self,
        caller: &Caller,
        scope: &Scope,
        zone: Option<Zone>,
    ) -> Result<ZoneState, Error> {
        needs_write(caller)?;
        let owner = owner(scope)?;
        let before = self.zone_of_owner(caller.tenant, &owner);
        if !self.zones.set(&self.store, (caller.tenant, owner.clone()), zone).await? {
            return Err(too_many_owners::<Zone>("timezone"));
        }
        if self.zone_of_owner(caller.tenant, &owner) != before {
            self.remake_moved_digests(caller.tenant, &owner).await?;
        }
        let own = self.zone_of_scope(caller, scope);
        let is_own = own.is_some();
        Ok(ZoneState { zone: own.unwrap_or_else(|| self.recall_settings.zone.clone()), is_own })
    }

    /// Zone in which the bare dates of a request on a scope are read, unless the request names one: that of the owner, else
    /// that of the settings. It is in memory, and tells only what the operation of the request may use: it asks for no
    /// right.
    pub fn zone_of_dates(&self, caller: &Caller, scope: &Scope) -> Zone {
        self.zone_of_scope(caller, scope).unwrap_or_else(|| self.recall_settings.zone.clone())
    }

    /// Own zone of the owner of a scope.
    pub(crate) fn zone_of_scope(&self, caller: &Caller, scope: &Scope) -> Option<Zone> {
        self.zones.of(caller.tenant, &scope.owner()?)
    }

    /// Zone in use for an owner.
    pub(crate) fn zone_of_owner(&self, tenant: TenantId, owner: &Owner) -> Zone {
        self.zones.of(tenant, owner).unwrap_or_else(|| self.recall_settings.zone.clone())
    }
}
