//! Conversion of requests and responses about grants.

use engrain::wire;
use memory_core::domain::change::Idempotency;
use memory_core::domain::grant::{Grant, GrantEvent, Selection};
use memory_core::domain::id::MemoryId;
use memory_core::domain::scope::Owner;
use memory_core::domain::zone::Zone;
use memory_core::error::Error;
use memory_core::grants::request::GiveGrant;
use memory_core::recall::response::GrantedBy;

use super::fields::{self, ZoneOf, scope};
use super::filter::filter;

/// Conversion of `POST /v1/grants`; its dates are read in the zone of the giver.
pub(crate) fn give(
    request: wire::GiveGrant,
    zone_of: &ZoneOf<'_>,
    idempotency: Option<Idempotency>,
) -> Result<GiveGrant, Error> {
    let wire::GiveGrant { scope: giver, to, memory_ids, tag, filter, expires_at } = request;
    let giver = scope(&giver, "scope")?;
    let zone = zone_of(&giver);
    Ok(GiveGrant {
        to: scope(&to, "to")?,
        selection: selection(memory_ids, tag, filter, &zone)?,
        expires_at: fields::optional_time(expires_at.as_deref(), &zone, "expires_at")?,
        scope: giver,
        idempotency,
    })
}

fn selection(
    memory_ids: Option<Vec<uuid::Uuid>>,
    tag: Option<String>,
    by: Option<wire::Filter>,
    zone: &Zone,
) -> Result<Selection, Error> {
    match (memory_ids, tag, by) {
        (Some(ids), None, None) => Ok(Selection::Memories(ids.into_iter().map(MemoryId).collect())),
        (None, Some(tag), None) => Ok(Selection::Tag(fields::name(&tag, "tag")?)),
        (None, None, Some(by)) => Ok(Selection::Filter(filter(Some(&by), zone, "filter")?)),
        _ => Err(Error::invalid("memory_ids", "give exactly one of memory_ids, tag and filter")),
    }
}

/// Grant on the wire. `is_open` by the clock of the engine.
pub(crate) fn grant(grant: Grant, is_open: bool) -> wire::Grant {
    let state = match (is_open, grant.revoked) {
        (_, Some(_)) => wire::GrantState::Revoked,
        (true, None) => wire::GrantState::Open,
        (false, None) => wire::GrantState::Expired,
    };
    let (mut memory_ids, mut tag, mut filter) = (None, None, None);
    match grant.selection {
        Selection::Memories(ids) => memory_ids = Some(ids.into_iter().map(|id| id.0).collect()),
        Selection::Tag(name) => tag = Some(name.to_string()),
        Selection::Filter(by) => filter = serde_json::from_value(by.to_json()).ok(),
    }
    wire::Grant {
        id: grant.id.0,
        giver: principal(&grant.giver),
        grantee: principal(&grant.grantee),
        memory_ids,
        tag,
        filter,
        state,
        given_at: grant.given_at.to_string(),
        given_by: grant.given_by.0,
        expires_at: grant.expires_at.map(|at| at.to_string()),
        revoked_at: grant.revoked.map(|revocation| revocation.at.to_string()),
        revoked_by: grant.revoked.map(|revocation| revocation.by.0),
    }
}

/// Entry of an audit log on the wire.
pub(crate) fn event(event: &GrantEvent) -> wire::GrantEvent {
    wire::GrantEvent {
        id: event.id.0,
        at: event.at.to_string(),
        kind: event.kind.as_str().to_owned(),
        caller: event.caller.0,
        recall_id: event.recall.map(|id| id.0),
        memories: event.memories,
    }
}

/// Grant through which a memory was read, on the wire.
pub(crate) fn granted_by(granted: &GrantedBy) -> wire::GrantedBy {
    wire::GrantedBy { grant_id: granted.grant.0, owner: principal(&granted.owner) }
}

fn principal(owner: &Owner) -> wire::Principal {
    wire::Principal { kind: owner.kind.as_str().to_owned(), id: owner.id.to_string() }
}
