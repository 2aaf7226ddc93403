//! Reader of mem0's export: records `{memory, user_id, created_at, ...}`, or objects with their list under `results`,
//! `memories`, `items` or `data`, also nested, like the pages and responses of its API. They become facts with the time
//! of their creation in mem0. A record that cannot be read is skipped, and the others of its list are imported. A memory
//! that is in two lists of a record is imported once. Relations of mem0's graph are named and not imported.
//!
//! `memory` may also be called `text` or `data`. `categories` become tags, `expiration_date` is kept (one in the year
//! 9999 means never), and `metadata`
//! is kept with the record's `id` added as `mem0_id`. Records without ids get [`ImportOptions::scope`].

use std::collections::HashSet;

use serde_json::Value;

use super::ImportOptions;
use super::batch::{Batcher, OldIds};
use super::content::read_text;
use super::error::{FormatError, SourceLocation};
use super::fields::{
    Fields, first, id_of, id_of_value, is_absent, list_of, metadata_of, moment_of, scope_of, wrong,
};
use super::identity::digest;
use super::record_reader::RecordReader;
use super::repair::parse;
use crate::wire::{Kind, NewMemory, Scope};

/// Fields that hold lists of memories.
const LISTS: [&str; 4] = ["results", "memories", "items", "data"];

/// Fields that hold the text of a memory.
const TEXT: [&str; 3] = ["memory", "text", "data"];

/// Seconds since 1970 of the first moment of the year 9999 and of the year 10000. An expiration between them means never.
const YEAR_9999: std::ops::Range<f64> = 253_370_764_800.0..253_402_300_800.0;

/// Maximum nesting of lists.
const MAX_NESTING: u32 = 8;

pub(super) struct Mem0Reader {
    scope: Scope,
}

impl Mem0Reader {
    pub(super) fn new(options: &ImportOptions) -> Self {
        Self { scope: options.scope.clone() }
    }

    fn memory(
        &self,
        fields: &Fields,
        location: &SourceLocation,
        found: &mut Found<'_>,
    ) -> Result<(), FormatError> {
        let scope = scope_of(fields, &self.scope, location)?;
        let (memory, unread) = memory_of(fields, location)?;
        // The id instead of the record number: lists of mem0 are newest first, so numbers change.
        let salt =
            || id_of(fields, &["id"]).unwrap_or_else(|| format!("{} {}", location.record, location.part));
        if found.seen.insert(digest("seen", &(&scope, &memory))) {
            found.batcher.memory(location, &scope, salt, (memory, OldIds::default()))?;
        }
        unread.map_or(Ok(()), |fault| found.batcher.skip(fault))
    }

    /// Adds the memories of an object: itself, and those of its lists.
    fn found(
        &self,
        fields: &Fields,
        location: &SourceLocation,
        depth: u32,
        found: &mut Found<'_>,
    ) -> Result<(), FormatError> {
        let is_list = |list: &Value| list.as_array().is_some_and(|list| list.iter().any(is_record));
        let text = first(fields, &["memory", "text"]);
        let is_memory = text.is_some_and(|text| !text.is_object() && !is_list(text));
        let mut lists: Vec<_> =
            LISTS.into_iter().filter_map(|name| Some((name, fields.get(name)?))).collect();
        // The one memory of a record is beside data of other kinds; only lists of records are more memories.
        lists.retain(|(_, list)| if is_memory { is_list(list) } else { list.is_array() || list.is_object() });
        lists.extend([("memory", text)].into_iter().filter_map(|(name, list)| {
            list.filter(|list| !is_memory && is_list(list)).map(|list| (name, list))
        }));
        let relations = fields.get("relations").map(list_of).unwrap_or_default();
        if !relations.is_empty() {
            let detail = format!("{} relations of a graph are not imported", relations.len());
            found.batcher.skip(wrong(location, "relations", &detail))?;
        }
        if is_memory || lists.is_empty() {
            self.memory(fields, location, found)?;
        }
        lists.into_iter().try_for_each(|(name, list)| {
            self.list(list, &location.at(path(location, name)), depth + 1, found)
        })
    }

    fn list(
        &self,
        list: &Value,
        location: &SourceLocation,
        depth: u32,
        found: &mut Found<'_>,
    ) -> Result<(), FormatError> {
        if depth > MAX_NESTING {
            return found.batcher.skip(wrong(location, "", "lists are nested too deeply"));
        }
        for (index, element) in list_of(list).iter().enumerate() {
            let location = match list {
                Value::Array(_) => location.at(format!("{}[{index}]", location.part)),
                _ => location.clone(),
            };
            let added = match element {
                Value::Null => continue,
                Value::Array(_) => self.list(element, &location, depth + 1, found),
                Value::Object(fields) => self.found(fields, &location, depth, found),
                _ => Err(wrong(&location, "", "must be an object")),
            };
            if let Err(error) = added {
                found.batcher.skip(error)?;
            }
        }
        Ok(())
    }
}

/// Memories found in a record.
struct Found<'a> {
    batcher: &'a mut Batcher,
    /// Digests of them.
    seen: HashSet<String>,
}

/// True for an object that may be a memory.
fn is_record(value: &Value) -> bool {
    value.as_object().is_some_and(|fields| TEXT.into_iter().any(|name| fields.contains_key(name)))
}

impl RecordReader for Mem0Reader {
    fn record(
        &mut self,
        record: &[u8],
        location: &SourceLocation,
        batcher: &mut Batcher,
    ) -> Result<(), FormatError> {
        let fields: Fields = parse(record, location)?;
        self.found(&fields, location, 0, &mut Found { batcher, seen: HashSet::new() })
    }
}

/// Memory of a record, with the fault of a part of its text that cannot be read.
fn memory_of(
    fields: &Fields,
    location: &SourceLocation,
) -> Result<(NewMemory, Option<FormatError>), FormatError> {
    let (text, unread) = read_text(fields, &TEXT, location)?;
    let mut metadata = metadata_of(fields);
    metadata.extend(id_of(fields, &["id"]).map(|id| ("mem0_id".to_owned(), Value::from(id))));
    let categories = first(fields, &["categories"]).map(list_of).unwrap_or_default();
    let tags = categories.iter().filter_map(id_of_value).collect();
    let memory = NewMemory {
        key: id_of(fields, &["id"]),
        text,
        kind: Some(Kind::Fact),
        tags,
        metadata,
        happened_at: moment_of(fields, &["created_at", "timestamp"], location)?,
        expires_at: match fields.get("expiration_date").is_some_and(is_never) {
            true => None,
            false => moment_of(fields, &["expiration_date"], location)?,
        },
        ..NewMemory::default()
    };
    Ok((memory, unread))
}

/// True for an expiration in the year 9999, as programs write it that need one.
fn is_never(value: &Value) -> bool {
    match value {
        Value::Number(number) => number
            .as_f64()
            .is_some_and(|time| [1.0, 1e3].iter().any(|unit| YEAR_9999.contains(&(time / unit)))),
        value if is_absent(value) => false,
        Value::String(text) => text.trim().starts_with("9999-"),
        _ => false,
    }
}

fn path(location: &SourceLocation, name: &str) -> String {
    if location.part.is_empty() { name.to_owned() } else { format!("{}.{name}", location.part) }
}
