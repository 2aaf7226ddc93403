//! Reader of mem0's export: records `{memory, user_id, created_at, ...}`, or one object with their list under
//! `results` or `memories`, like the responses of its API. They become facts with the time of their creation in mem0.
//!
//! `memory` may also be called `text` or `data`. `categories` become tags, `expiration_date` is kept, and `metadata`
//! is kept with the record's `id` added as `mem0_id`. Records without ids get [`ImportOptions::scope`].

use serde_json::{Map, Value};

use super::ImportOptions;
use super::batch::{Batcher, OldIds};
use super::chat::{first, id_of, moment_of, scope_of, wrong};
use super::error::{FormatError, SourceLocation};
use super::record_reader::RecordReader;
use crate::wire::{Kind, NewMemory, Scope};

pub(super) struct Mem0Reader {
    scope: Scope,
}

impl Mem0Reader {
    pub(super) fn new(options: &ImportOptions) -> Self {
        Self { scope: options.scope.clone() }
    }

    fn memory(
        &self,
        fields: &Map<String, Value>,
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

impl RecordReader for Mem0Reader {
    fn record(
        &mut self,
        record: &[u8],
        location: &SourceLocation,
        batcher: &mut Batcher,
    ) -> Result<(), FormatError> {
        let fields: Map<String, Value> = serde_json::from_slice(record)
            .map_err(|source| FormatError::Shape { location: location.clone(), source })?;
        let Some((name, list)) =
            ["results", "memories"].into_iter().find_map(|name| Some((name, fields.get(name)?.as_array()?)))
        else {
            return self.memory(&fields, location, batcher);
        };
        for (index, fields) in list.iter().enumerate() {
            let location = location.at(format!("{name}[{index}]"));
            let Some(fields) = fields.as_object() else {
                return Err(wrong(&location, "", "must be an object"));
            };
            self.memory(fields, &location, batcher)?;
        }
        Ok(())
    }
}

fn memory_of(fields: &Map<String, Value>, location: &SourceLocation) -> Result<NewMemory, FormatError> {
    let Some(text) = first(fields, &["memory", "text", "data"]).and_then(Value::as_str) else {
        return Err(wrong(location, "memory", "must be a text"));
    };
    let mut metadata = match first(fields, &["metadata"]) {
        None => Map::new(),
        Some(Value::Object(metadata)) => metadata.clone(),
        Some(_) => return Err(wrong(location, "metadata", "must be an object")),
    };
    metadata.extend(id_of(fields, &["id"]).map(|id| ("mem0_id".to_owned(), Value::from(id))));
    let categories = first(fields, &["categories"]).and_then(Value::as_array);
    let tags = categories.into_iter().flatten().filter_map(|tag| tag.as_str().map(str::to_owned)).collect();
    Ok(NewMemory {
        key: id_of(fields, &["id"]),
        text: text.to_owned(),
        kind: Some(Kind::Fact),
        tags,
        metadata,
        happened_at: moment_of(fields, &["created_at", "timestamp"], location)?,
        expires_at: moment_of(fields, &["expiration_date"], location)?,
        ..NewMemory::default()
    })
}
