//! Conversion of requests on stored memories: list, edit, delete.

use engrain::wire;
use memory_core::domain::filter::Filter;
use memory_core::domain::given_time::GivenTime;
use memory_core::domain::id::MemoryId;
use memory_core::domain::scope::Scope;
use memory_core::domain::time::Timestamp;
use memory_core::domain::zone::Zone;
use memory_core::error::Error;
use memory_core::memories::request::{Edit, ListMemories};

use super::cursor;
use super::fields::{self, ZoneOf, scope};
use super::filter::filter;

/// Default number of items on a page.
pub(crate) const DEFAULT_PAGE: u32 = 100;

/// Conversion of `POST /v1/memories/list`.
pub(crate) fn list(request: &wire::ListMemories, zone_of: &ZoneOf<'_>) -> Result<ListMemories, Error> {
    let scope = scope(&request.scope, "scope")?;
    let filter = filter(request.filter.as_ref(), &zone_of(&scope), "filter")?;
    Ok(ListMemories {
        scope,
        filter,
        newest_first: request.order.unwrap_or_default() == wire::ListOrder::NewestFirst,
        limit: request.limit.unwrap_or(DEFAULT_PAGE),
        after: cursor::read(request.cursor.as_deref(), cursor::memory)?,
    })
}

/// True if an edit has a bare date, for which the zone of the memory's owner must be known.
pub(crate) fn has_bare_date(edit: &wire::EditMemory) -> bool {
    let clearable = [&edit.valid_from, &edit.valid_to, &edit.expires_at];
    let times = clearable.into_iter().map(|time| time.as_ref().and_then(Option::as_deref));
    let mut times = times.chain([edit.happened_at.as_deref()]).flatten();
    times.any(|text| matches!(GivenTime::parse(text), Some(GivenTime::Day(_))))
}

/// Conversion of `PATCH /v1/memories/{id}`, with bare dates read in `zone`. An edit without a change is refused: it would
/// only make a version.
pub(crate) fn edit(edit: wire::EditMemory, zone: &Zone) -> Result<Edit, Error> {
    if (wire::EditMemory { if_version: edit.if_version, ..wire::EditMemory::default() }) == edit {
        return Err(Error::invalid("body", "must change at least one field"));
    }
    let names =
        |given: Option<Vec<String>>, path: &str| given.map(|given| fields::names(&given, path)).transpose();
    let (happened_at, utc_offset) = fields::local_time(edit.happened_at.as_deref(), zone, "happened_at")?;
    Ok(Edit {
        if_version: edit.if_version,
        text: edit.text,
        tags: names(edit.tags, "tags")?,
        subjects: names(edit.subjects, "subjects")?,
        audience: names(edit.audience, "audience")?,
        statement: edit
            .statement
            .map(|given| given.map(|it| fields::statement(&it, "statement")).transpose())
            .transpose()?,
        links: edit.links.map(|links| fields::links(links, "links")).transpose()?,
        metadata: edit.metadata.map(|object| fields::metadata(object, "metadata")).transpose()?,
        utc_offset,
        happened_at,
        valid_from: clearable(edit.valid_from, zone, "valid_from")?,
        valid_to: clearable(edit.valid_to, zone, "valid_to")?,
        expires_at: clearable(edit.expires_at, zone, "expires_at")?,
        importance: edit.importance,
        visibility: edit.visibility.map(fields::visibility),
    })
}

/// Time of a field that `null` clears and absence leaves unchanged.
fn clearable(
    given: Option<Option<String>>,
    zone: &Zone,
    path: &str,
) -> Result<Option<Option<Timestamp>>, Error> {
    given.map(|given| fields::optional_time(given.as_deref(), zone, path)).transpose()
}

/// Conversion of `POST /v1/memories/delete`: scope and filter of the memories to erase.
pub(crate) fn delete(request: &wire::DeleteMatching, zone_of: &ZoneOf<'_>) -> Result<(Scope, Filter), Error> {
    let scope = scope(&request.scope, "scope")?;
    let filter = filter(Some(&request.filter), &zone_of(&scope), "filter")?;
    Ok((scope, filter))
}

/// Conversion of `POST /v1/owners/delete`: scope of the owner to erase.
pub(crate) fn delete_owner(request: &wire::DeleteOwner) -> Result<Scope, Error> {
    scope(&request.scope, "scope")
}

/// Cursor of the page that follows a page ending with `last`.
pub(crate) fn next_cursor(last: Option<MemoryId>, has_more: bool) -> Option<String> {
    last.filter(|_| has_more).map(cursor::of_memory)
}
