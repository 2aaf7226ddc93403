//! Grants: to give, revoke and list read access of one principal to chosen memories of another, with its audit log (ADR
//! 0045). The recall path evaluates them (`scope/targets.rs`); nothing else reads through a grant.

pub mod request;

use crate::domain::grant::{Grant, GrantEvent, Revocation, Selection};
use crate::domain::id::{GrantEventId, GrantId};
use crate::domain::scope::{Caller, Owner, Scope};
use crate::engine::{Engine, needs_read, needs_write};
use crate::error::Error;
use crate::store::{Given, GrantBounds, GrantPage, GrantParty, GrantRefusal, NewGrant};
use request::{GiveGrant, ListGrants};

impl Engine {
    /// Gives a principal of the caller's tenant read access to memories of an owner. Returns the grant, and whether an
    /// earlier request with the same idempotency key gave it.
    ///
    /// # Errors
    /// [`Error`] when the request is invalid or over a limit, a memory does not exist, the caller lacks the right to write,
    /// or the store fails.
    pub async fn give_grant(&self, caller: &Caller, request: GiveGrant) -> Result<(Grant, bool), Error> {
        needs_write(caller)?;
        let giver = sole_owner(&request.scope, "scope")?;
        let grantee = sole_owner(&request.to, "to")?;
        if giver == grantee {
            return Err(Error::invalid("to", "an owner reads its own memories without a grant"));
        }
        let now = self.now();
        let grant = Grant {
            id: GrantId(self.ids.next(now)),
            giver,
            grantee,
            selection: self.checked(request.selection)?,
            given_at: now,
            given_by: caller.id,
            expires_at: request.expires_at,
            revoked: None,
        };
        let event = GrantEventId(self.ids.next(now));
        let new = NewGrant { grant, event, idempotency: request.idempotency };
        let bounds = GrantBounds {
            per_giver: self.limits.grants_per_owner,
            per_grantee: self.limits.grants_per_grantee,
        };
        match self.store.give(caller.tenant, &new, bounds).await? {
            Given::New(grant) => Ok((grant, false)),
            Given::Repeated(grant) => Ok((grant, true)),
            Given::Refused(refusal) => Err(refused(refusal, &new.grant, bounds)),
        }
    }

    /// Revokes a grant. When it returns, no recall reads anything through the grant. A grant that was revoked before stays
    /// as it is.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no such grant; [`Error`] when the caller lacks the right to write, or the store fails.
    pub async fn revoke_grant(&self, caller: &Caller, id: GrantId) -> Result<Grant, Error> {
        needs_write(caller)?;
        let now = self.now();
        let event = GrantEventId(self.ids.next(now));
        let revocation = Revocation { at: now, by: caller.id };
        let revoked = self.store.revoke(caller.tenant, id, revocation, event).await?;
        revoked.ok_or_else(|| no_grant(id))
    }

    /// Grant by its id.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no such grant; [`Error`] when the caller lacks the right to read, or the store fails.
    pub async fn grant(&self, caller: &Caller, id: GrantId) -> Result<Grant, Error> {
        needs_read(caller)?;
        self.store.grant(caller.tenant, id).await?.ok_or_else(|| no_grant(id))
    }

    /// A page of the grants that an owner has given or received, oldest first.
    ///
    /// # Errors
    /// [`Error`] when the request is invalid, the caller lacks the right to read, or the store fails.
    pub async fn grants(&self, caller: &Caller, request: &ListGrants) -> Result<Vec<Grant>, Error> {
        needs_read(caller)?;
        let owner = sole_owner(&request.scope, "scope")?;
        self.check_page(request.limit)?;
        let open_at = request.only_open.then(|| self.now());
        let page = GrantPage { open_at, after: request.after, limit: request.limit };
        let party = if request.received { GrantParty::Grantee(owner) } else { GrantParty::Giver(owner) };
        Ok(self.store.grants(caller.tenant, &party, page).await?)
    }

    /// Entries of the audit log of a grant before `before`, newest first, at most `limit`. Reads appear shortly after the
    /// recall.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no such grant; [`Error`] when the limit is invalid, the caller lacks the right to
    /// read, or the store fails.
    pub async fn grant_events(
        &self,
        caller: &Caller,
        id: GrantId,
        before: Option<GrantEventId>,
        limit: u32,
    ) -> Result<Vec<GrantEvent>, Error> {
        needs_read(caller)?;
        self.check_page(limit)?;
        let events = self.store.grant_events(caller.tenant, id, before, limit).await?;
        events.ok_or_else(|| no_grant(id))
    }

    /// True if a grant opens anything now.
    pub fn is_open(&self, grant: &Grant) -> bool {
        grant.is_open(self.now())
    }

    fn check_page(&self, limit: u32) -> Result<(), Error> {
        let most = self.limits.page_size;
        if limit == 0 {
            return Err(Error::invalid("limit", "must be at least 1"));
        }
        if limit > most {
            let what = "the number of entries on a page";
            return Err(Error::OverLimit { field: "limit".to_owned(), what, limit: u64::from(most) });
        }
        Ok(())
    }

    /// Selection within its bounds, its ids in order and without repetitions.
    fn checked(&self, selection: Selection) -> Result<Selection, Error> {
        match selection {
            Selection::Memories(mut ids) => {
                let most = self.limits.memories_per_grant;
                if ids.is_empty() {
                    return Err(Error::invalid("memory_ids", "must not be empty"));
                }
                if ids.len() > most {
                    let what = "the number of memories of a grant";
                    return Err(Error::OverLimit {
                        field: "memory_ids".to_owned(),
                        what,
                        limit: most as u64,
                    });
                }
                ids.sort_unstable();
                ids.dedup();
                Ok(Selection::Memories(ids))
            }
            Selection::Filter(filter) => {
                filter.check().map_err(|bad| Error::invalid("filter", bad))?;
                Ok(Selection::Filter(filter))
            }
            Selection::Tag(tag) => Ok(Selection::Tag(tag)),
        }
    }
}

/// Owner of a scope that names nothing else: a grant is between two principals.
fn sole_owner(scope: &Scope, field: &str) -> Result<Owner, Error> {
    let ids = [&scope.user, &scope.agent, &scope.app, &scope.run].into_iter().flatten().count();
    let owner = scope.owner().filter(|_| ids == 1);
    owner.ok_or_else(|| Error::invalid(field, "name exactly one of user_id, agent_id, app_id, run_id"))
}

fn no_grant(id: GrantId) -> Error {
    Error::NotFound { what: "grant", id: id.to_string() }
}

fn refused(refusal: GrantRefusal, grant: &Grant, bounds: GrantBounds) -> Error {
    let over = |field: &str, what, limit: u32| {
        let (field, limit) = (field.to_owned(), u64::from(limit));
        Error::OverLimit { field, what, limit }
    };
    match refusal {
        GrantRefusal::NoGiver => {
            Error::NotFound { what: "owner with memories", id: grant.giver.id.on_one_line().into_owned() }
        }
        GrantRefusal::NoMemory(id) => Error::NotFound { what: "memory", id: id.to_string() },
        GrantRefusal::Over => Error::invalid("expires_at", "must lie in the future"),
        GrantRefusal::KeyReused => Error::IdempotencyKeyReused,
        GrantRefusal::GiverFull => over("scope", "the number of open grants of an owner", bounds.per_giver),
        GrantRefusal::GranteeFull => {
            over("to", "the number of open grants to one grantee", bounds.per_grantee)
        }
    }
}
