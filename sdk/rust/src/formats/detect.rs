//! Format detection by the fields of the first record.

use std::collections::BTreeMap;

use serde::de::IgnoredAny;

use super::Format;
use super::error::{FormatError, SourceLocation};

/// Maximum length of the field list in the error for an unknown format, in characters.
const MAX_SHOWN_CHARS: usize = 200;

/// Detects the format of `record`.
pub(super) fn detect(record: &[u8], location: &SourceLocation) -> Result<Format, FormatError> {
    let unknown = |fields: &str| FormatError::UnknownFormat {
        location: location.clone(),
        fields: fields.chars().take(MAX_SHOWN_CHARS).collect(),
    };
    let fields: BTreeMap<String, IgnoredAny> = match serde_json::from_slice(record) {
        Ok(fields) => fields,
        Err(source) if source.is_data() => return Err(unknown("(not an object)")),
        Err(source) => return Err(FormatError::Shape { location: location.clone(), source }),
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
    } else if ["memory", "text", "results", "memories"].into_iter().any(has) {
        Format::Mem0
    } else {
        return Err(unknown(&fields.keys().map(String::as_str).collect::<Vec<_>>().join(", ")));
    };
    Ok(format)
}
