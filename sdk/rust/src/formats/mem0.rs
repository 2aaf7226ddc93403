//! Reader of mem0's export: records `{memory, user_id, created_at, ...}`, or objects with their list under `results`,
//! `memories`, `items` or `data`, also nested, like the pages and responses of its API. They become facts with the time
//! of their creation in mem0. A record that cannot be read is skipped, and the others of its list are imported.
//!
//! `memory` may also be called `text` or `data`. `categories` become tags, `expiration_date` is kept, and `metadata`
//! is kept with the record's `id` added as `mem0_id`. Records without ids get [`ImportOptions::scope`].

use serde_json::Value;

use super::ImportOptions;
use super::batch::{Batcher, OldIds};
use super::error::{FormatError, SourceLocation};
use super::fields::{
    Fields, first, id_of, id_of_value, list_of, metadata_of, moment_of, scope_of, text_of, wrong,
};
use super::record_reader::RecordReader;
use super::repair::parse;
use crate::wire::{Kind, NewMemory, Scope};

/// Fields that hold lists of memories.
const LISTS: [&str; 4] = ["results", "memories", "items", "data"];

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
        batcher: &mut Batcher,
    ) -> Result<(), FormatError> {
        let scope = scope_of(fields, &self.scope, location)?;
        let memory = memory_of(fields, location)?;
        // The id instead of the record number: lists of mem0 are newest first, so numbers change.
        let salt =
            || id_of(fields, &["id"]).unwrap_or_else(|| format!("{} {}", location.record, location.part));
        batcher.memory(location, &scope, salt, (memory, OldIds::default()))
    }
}

impl Mem0Reader {
    /// Adds the memories of an object: itself, or those of its list.
    fn found(
        &self,
        fields: &Fields,
        location: &SourceLocation,
        depth: u32,
        batcher: &mut Batcher,
    ) -> Result<(), FormatError> {
        let list = LISTS.into_iter().find_map(|name| {
            let list = fields.get(name)?;
            (list.is_array() || list.is_object()).then_some((name, list))
        });
        let is_memory = first(fields, &["memory", "text"]).is_some_and(|text| !text.is_object());
        let Some((name, list)) = list.filter(|_| !is_memory) else {
            return self.memory(fields, location, batcher);
        };
        self.list(list, &location.at(path(location, name)), depth + 1, batcher)
    }

    fn list(
        &self,
        list: &Value,
        location: &SourceLocation,
        depth: u32,
        batcher: &mut Batcher,
    ) -> Result<(), FormatError> {
        if depth > MAX_NESTING {
            return batcher.skip(wrong(location, "", "lists are nested too deeply"));
        }
        for (index, element) in list_of(list).iter().enumerate() {
            let location = match list {
                Value::Array(_) => location.at(format!("{}[{index}]", location.part)),
                _ => location.clone(),
            };
            let added = match element {
                Value::Null => continue,
                Value::Array(_) => self.list(element, &location, depth + 1, batcher),
                Value::Object(fields) => self.found(fields, &location, depth, batcher),
                _ => Err(wrong(&location, "", "must be an object")),
            };
            if let Err(error) = added {
                batcher.skip(error)?;
            }
        }
        Ok(())
    }
}

impl RecordReader for Mem0Reader {
    fn record(
        &mut self,
        record: &[u8],
        location: &SourceLocation,
        batcher: &mut Batcher,
    ) -> Result<(), FormatError> {
        let fields: Fields = parse(record, location)?;
        self.found(&fields, location, 0, batcher)
    }
}

fn memory_of(fields: &Fields, location: &SourceLocation) -> Result<NewMemory, FormatError> {
    let text = first(fields, &["memory", "text", "data"]).and_then(|text| text_of(Some(text)));
    let Some(text) = text else { return Err(wrong(location, "memory", "must be a text")) };
    let mut metadata = metadata_of(fields);
    metadata.extend(id_of(fields, &["id"]).map(|id| ("mem0_id".to_owned(), Value::from(id))));
    let categories = first(fields, &["categories"]).map(list_of).unwrap_or_default();
    let tags = categories.iter().filter_map(id_of_value).collect();
    Ok(NewMemory {
        key: id_of(fields, &["id"]),
        text,
        kind: Some(Kind::Fact),
        tags,
        metadata,
        happened_at: moment_of(fields, &["created_at", "timestamp"], location)?,
        expires_at: moment_of(fields, &["expiration_date"], location)?,
        ..NewMemory::default()
    })
}

fn path(location: &SourceLocation, name: &str) -> String {
    if location.part.is_empty() { name.to_owned() } else { format!("{}.{name}", location.part) }
}
