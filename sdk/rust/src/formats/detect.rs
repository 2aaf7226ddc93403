//! Format detection by the fields of a record.

use std::collections::BTreeMap;

use serde::de::IgnoredAny;

use super::Format;
use super::error::{FormatError, SourceLocation};
use super::repair::parse;

/// Maximum length of the field list in the error for an unknown format, in characters.
const MAX_SHOWN_CHARS: usize = 200;

/// Detects the format of `record`.
pub(super) fn detect(record: &[u8], location: &SourceLocation) -> Result<Format, FormatError> {
    let unknown = |fields: &str| FormatError::UnknownFormat {
        location: location.clone(),
        fields: fields.chars().take(MAX_SHOWN_CHARS).collect(),
    };
    let fields: BTreeMap<String, IgnoredAny> = match parse(record, location) {
        Ok(fields) => fields,
        Err(FormatError::Shape { source, .. }) if source.is_data() => return Err(unknown("(not an object)")),
        Err(error) => return Err(error),
    };
    let has = |name: &str| fields.contains_key(name);
    let format = if has("haystack_sessions") {
        Format::LongMemEval
    } else if has("conversation") && (has("sample_id") || has("qa")) {
        Format::Locomo
    } else if has("mapping") {
        Format::ChatGpt
    } else if has("record") {
        Format::Engrain
    } else if has("messages") || has("conversations") || has("role") || has("from") {
        Format::Chat
    } else if has("current_node") || (has("title") && has("create_time") && has("update_time")) {
        // A conversation whose `mapping` is missing. It is told apart from others last, because that says least.
        Format::ChatGpt
    } else if ["memory", "text", "results", "memories"].into_iter().any(has) {
        Format::Mem0
    } else {
        return Err(unknown(&fields.keys().map(String::as_str).collect::<Vec<_>>().join(", ")));
    };
    Ok(format)
}
