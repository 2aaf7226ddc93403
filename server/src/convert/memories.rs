//! Requests about memories that are there: list, edit, delete.

use engrain::wire;
use memory_core::domain::filter::Filter;
use memory_core::domain::id::MemoryId;
use memory_core::domain::scope::Scope;
use memory_core::domain::time::Timestamp;
use memory_core::error::Error;
use memory_core::limits::Limits;
use memory_core::memories::request::{Edit, ListMemories};

use super::cursor;
use super::fields::{self, scope};
use super::filter::filter;

/// Items on a page, where a request does not say.
pub(crate) const DEFAULT_PAGE: u32 = 100;

/// A list of memories.
pub(crate) fn list(request: &wire::ListMemories, limits: &Limits) -> Result<ListMemories, Error> {
    Ok(ListMemories {
        scope: scope(&request.scope, "scope")?,
        filter: filter(request.filter.as_ref(), "filter")?,
        newest_first: request.order.unwrap_or_default() == wire::ListOrder::NewestFirst,
        limit: page(request.limit, limits)?,
        after: cursor::read(request.cursor.as_deref(), cursor::memory)?,
    })
}

/// How many items a page is to have.
pub(crate) fn page(limit: Option<u32>, limits: &Limits) -> Result<u32, Error> {
    fields::positive(limit, DEFAULT_PAGE, limits.page_size, "limit", "the number of items on a page")
}

/// An edit. One that changes nothing is refused: it would only make a version.
pub(crate) fn edit(edit: wire::EditMemory, limits: &Limits) -> Result<Edit, Error> {
    if (wire::EditMemory { if_version: edit.if_version, ..wire::EditMemory::default() }) == edit {
        return Err(Error::invalid("body", "must name something to change"));
    }
    if let Some(text) = &edit.text {
        fields::text(text, "text", "a text's length in bytes", limits.text_bytes)?;
    }
    let list = limits.names_per_list;
    let names = |given: Option<Vec<String>>, path: &str, what: &'static str| {
        given.map(|given| fields::names(&given, path, what, list)).transpose()
    };
    let valid_from = clearable(edit.valid_from, "valid_from")?;
    let valid_to = clearable(edit.valid_to, "valid_to")?;
    if let (Some(Some(from)), Some(Some(to))) = (valid_from, valid_to)
        && to < from
    {
        return Err(Error::invalid("valid_to", "must not be before valid_from"));
    }
    Ok(Edit {
        if_version: edit.if_version,
        text: edit.text,
        tags: names(edit.tags, "tags", "the number of tags")?,
        subjects: names(edit.subjects, "subjects", "the number of subjects")?,
        links: edit.links.map(|links| fields::links(links, "links", limits.links_per_memory)).transpose()?,
        metadata: edit.metadata.map(|object| fields::metadata(object, "metadata")).transpose()?,
        happened_at: fields::optional_moment(edit.happened_at.as_deref(), "happened_at")?,
        valid_from,
        valid_to,
        expires_at: clearable(edit.expires_at, "expires_at")?,
        importance: fields::importance(edit.importance, "importance")?,
        visibility: edit.visibility.map(fields::visibility),
    })
}

/// A moment, `null` to clear, or nothing to leave as it is.
fn clearable(given: Option<Option<String>>, path: &str) -> Result<Option<Option<Timestamp>>, Error> {
    given.map(|given| fields::optional_moment(given.as_deref(), path)).transpose()
}

/// What is to be deleted.
pub(crate) fn delete(request: &wire::DeleteMatching) -> Result<(Scope, Filter), Error> {
    Ok((scope(&request.scope, "scope")?, filter(Some(&request.filter), "filter")?))
}

/// The cursor of the page after one that ends with `last`.
pub(crate) fn next_cursor(last: Option<MemoryId>, has_more: bool) -> Option<String> {
    last.filter(|_| has_more).map(cursor::of_memory)
}
