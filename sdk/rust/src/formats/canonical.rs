//! Canonical form of an export: two stores with the same content have the same form, byte for byte, whatever changes led
//! there.
//!
//! Each turn and each memory is one line of JSON with sorted keys and without spaces; the lines are sorted. A line has
//! the scope of the owner, the record, and the sorted ids of its sources. By default, all fields of a record count, ids
//! included, apart from those that only an audit asks for: `version` and `recorded_at` of memories and turns, earlier
//! versions, derivations, and the strength. With [`CanonicalExport::with_history`] these count too, and so do the owners'
//! profiles of thinking, time zones and forgetting policies: two stores have the same form if one is the import of the other's export. Owners without records
//! are in no line, and neither are the header and the end of an export.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::wire::{ExportLine, Memory, MemoryHistory};

/// Fields of memories and turns that do not count.
const AUDIT_FIELDS: [&str; 2] = ["version", "recorded_at"];

/// Builder of the canonical form. It holds all lines, because they are sorted.
#[derive(Clone, Debug)]
pub struct CanonicalExport {
    lines: Vec<String>,
    scope: Value,
    bytes: usize,
    max_bytes: usize,
    has_history: bool,
}

/// Failure to build a canonical form.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CanonicalError {
    /// The lines take more memory than the builder may use.
    #[error("the canonical form is longer than {max_bytes} bytes")]
    TooLong {
        /// Limit in bytes.
        max_bytes: usize,
    },
    /// A record cannot be written as JSON.
    #[error("a record cannot be written as JSON")]
    Json(#[from] serde_json::Error),
}

impl Default for CanonicalExport {
    fn default() -> Self {
        Self::with_max_bytes(Self::MAX_BYTES)
    }
}

impl CanonicalExport {
    /// Default limit of the form, in bytes.
    pub const MAX_BYTES: usize = 1 << 30;

    /// Builder with a limit of the form, in bytes.
    pub fn with_max_bytes(max_bytes: usize) -> Self {
        Self { lines: Vec::new(), scope: Value::Null, bytes: 0, max_bytes, has_history: false }
    }

    /// Includes versions, derivations, strength, profiles of thinking, time zones, forgetting policies and moments of the
    /// last check by draws.
    #[must_use]
    pub fn with_history(self) -> Self {
        Self { has_history: true, ..self }
    }

    /// Adds a line of an export, in the order of the export.
    ///
    /// # Errors
    /// [`CanonicalError::TooLong`] over the limit.
    pub fn push(&mut self, line: ExportLine) -> Result<(), CanonicalError> {
        let record = match line {
            ExportLine::Header { .. } | ExportLine::End { .. } => return Ok(()),
            ExportLine::Owner(owner) => {
                let has_settings = owner != owner.without_settings();
                self.scope = sorted(match self.has_history && has_settings {
                    true => serde_json::to_value(owner)?,
                    false => serde_json::to_value(owner.scope)?,
                });
                return Ok(());
            }
            ExportLine::Turn { turn, memory, history } => {
                let turn = self.counted(serde_json::to_value(turn)?);
                self.record(json!({"turn": turn}), memory, history)?
            }
            ExportLine::Memory { memory, mut sources, history } => {
                sources.sort_unstable();
                self.record(json!({"sources": sources}), memory, history)?
            }
        };
        let line = serde_json::to_string(&sorted(record))?;
        self.bytes = self.bytes.saturating_add(line.len() + 1);
        if self.bytes > self.max_bytes {
            return Err(CanonicalError::TooLong { max_bytes: self.max_bytes });
        }
        self.lines.push(line);
        Ok(())
    }

    fn record(
        &self,
        mut record: Value,
        memory: Memory,
        mut history: MemoryHistory,
    ) -> Result<Value, CanonicalError> {
        record["scope"] = self.scope.clone();
        record["memory"] = self.counted(serde_json::to_value(memory)?);
        if self.has_history {
            history.derivations.sort_by_key(|derivation| derivation.id);
            for derivation in &mut history.derivations {
                derivation.record.inputs.sort_by_key(|input| (input.turn_id, input.memory_id));
            }
            record["history"] = serde_json::to_value(history)?;
        }
        Ok(record)
    }

    /// The fields that count.
    fn counted(&self, record: Value) -> Value {
        if self.has_history { record } else { without_audit(record) }
    }

    /// The lines in order, each with a line feed at its end.
    pub fn finish(mut self) -> String {
        self.lines.sort_unstable();
        let mut text = String::with_capacity(self.bytes);
        for line in self.lines {
            text.push_str(&line);
            text.push('\n');
        }
        text
    }
}

fn without_audit(mut record: Value) -> Value {
    if let Some(object) = record.as_object_mut() {
        for field in AUDIT_FIELDS {
            object.remove(field);
        }
    }
    record
}

/// The value with the keys of all objects in order, also where the JSON library keeps the order of insertion.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(object) => {
            let by_key: BTreeMap<String, Value> = object.into_iter().collect();
            Value::Object(by_key.into_iter().map(|(key, value)| (key, sorted(value))).collect())
        }
        Value::Array(values) => Value::Array(values.into_iter().map(sorted).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> String {
        let mut canonical = CanonicalExport::default();
        for line in text.lines() {
            canonical.push(serde_json::from_str(line).expect("a line of an export")).expect("short");
        }
        canonical.finish()
    }

    fn memory(id: u8, version: u8, text: &str) -> String {
        format!(
            r#"{{"record":"memory","sources":[],"memory":{{"id":"00000000-0000-0000-0000-0000000000{id:02}",
            "version":{version},"kind":"fact","text":"{text}","tokens":1,"visibility":"owner",
            "metadata":{{"b":1,"a":[{{"d":1,"c":2}}]}},"happened_at":"2023-05-20T02:21:00Z",
            "recorded_at":"2023-05-20T02:21:0{version}Z","created_at":"2023-05-20T02:21:00Z","importance":0.5}}}}"#
        )
        .replace('\n', " ")
    }

    #[test]
    fn versions_and_their_order_do_not_count_and_content_does() {
        let owner = r#"{"record":"owner","scope":{"user_id":"ann"}}"#;
        let empty = r#"{"record":"owner","scope":{"user_id":"nobody"}}"#;
        let one = lines(&format!("{empty}\n{owner}\n{}\n{}", memory(1, 1, "a"), memory(2, 2, "b")));
        let other = lines(&format!("{owner}\n{}\n{}\n{empty}", memory(2, 1, "b"), memory(1, 3, "a")));
        assert_eq!(one, other);
        assert_eq!(one.lines().count(), 2);
        assert!(
            one.starts_with(r#"{"memory":{"created_at":"2023"#)
                && one.contains(r#"{"a":[{"c":2,"d":1}],"b":1}"#)
        );
        assert_ne!(one, lines(&format!("{owner}\n{}\n{}", memory(1, 1, "a"), memory(2, 2, "c"))));
    }

    #[test]
    fn a_form_over_the_limit_is_refused() {
        let mut canonical = CanonicalExport::with_max_bytes(100);
        let line = serde_json::from_str(&memory(1, 1, "a")).expect("a line");
        assert!(matches!(canonical.push(line), Err(CanonicalError::TooLong { max_bytes: 100 })));
    }
}
