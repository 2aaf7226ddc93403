//! Conversion of requests on stored memories: list, edit, delete.

use engrain::wire;
use memory_core::domain::filter::Filter;
use memory_core::domain::id::MemoryId;
use memory_core::domain::scope::Scope;
use memory_core::domain::time::Timestamp;
use memory_core::error::Error;
use memory_core::memories::request::{Edit, ListMemories};

use super::cursor;
use super::fields::{self, scope};
use super::filter::filter;

/// Default number of items on a page.
pub(crate) const DEFAULT_PAGE: u32 = 100;

/// Conversion of `POST /v1/memories/list`.
pub(crate) fn list(request: &wire::ListMemories) -> Result<ListMemories, Error> {
    Ok(ListMemories {
        scope: scope(&request.scope, "scope")?,
        filter: filter(request.filter.as_ref(), "filter")?,
        newest_first: request.order.unwrap_or_default() == wire::ListOrder::NewestFirst,
        limit: request.limit.unwrap_or(DEFAULT_PAGE),
        after: cursor::read(request.cursor.as_deref(), cursor::memory)?,
    })
}

/// Conversion of `PATCH /v1/memories/{id}`. An edit without a change is refused: it would only make a version.
pub(crate) fn edit(edit: wire::EditMemory) -> Result<Edit, Error> {
    if (wire::EditMemory { if_version: edit.if_version, ..wire::EditMemory::default() }) == edit {
        return Err(Error::invalid("body", "must change at least one field"));
    }
    let names =
        |given: Option<Vec<String>>, path: &str| given.map(|given| fields::names(&given, path)).transpose();
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
        utc_offset: fields::utc_offset(edit.happened_at.as_deref()),
        happened_at: fields::optional_time(edit.happened_at.as_deref(), "happened_at")?,
        valid_from: clearable(edit.valid_from, "valid_from")?,
        valid_to: clearable(edit.valid_to, "valid_to")?,
        expires_at: clearable(edit.expires_at, "expires_at")?,
        importance: edit.importance,
        visibility: edit.visibility.map(fields::visibility),
    })
}

/// Time of a field that `null` clears and absence leaves unchanged.
fn clearable(given: Option<Option<String>>, path: &str) -> Result<Option<Option<Timestamp>>, Error> {
    given.map(|given| fields::optional_time(given.as_deref(), path)).transpose()
}

/// Conversion of `POST /v1/memories/delete`: scope and filter of the memories to erase.
pub(crate) fn delete(request: &wire::DeleteMatching) -> Result<(Scope, Filter), Error> {
    Ok((scope(&request.scope, "scope")?, filter(Some(&request.filter), "filter")?))
}

/// Conversion of `POST /v1/owners/delete`: scope of the owner to erase.
pub(crate) fn delete_owner(request: &wire::DeleteOwner) -> Result<Scope, Error> {
    scope(&request.scope, "scope")
}

/// Cursor of the page that follows a page ending with `last`.
pub(crate) fn next_cursor(last: Option<MemoryId>, has_more: bool) -> Option<String> {
    last.filter(|_| has_more).map(cursor::of_memory)
}
