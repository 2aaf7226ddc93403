//! Application metadata of a turn or memory: a bounded JSON object that Engrain reads only through filters.

use serde_json::{Map, Value};

/// JSON object within the bounds of size and depth.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata(Map<String, Value>);

/// Reason to refuse an object as [`Metadata`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadMetadata {
    /// Size over [`Metadata::MAX_BYTES`].
    #[error("must be at most {} bytes of JSON", Metadata::MAX_BYTES)]
    TooLarge,
    /// Depth over [`Metadata::MAX_DEPTH`].
    #[error("must be nested at most {} deep", Metadata::MAX_DEPTH)]
    TooDeep,
    /// The character U+0000 in a key or a text, which not every database stores.
    #[error("must not contain the character U+0000")]
    Nul,
}

impl Metadata {
    /// Maximum size, in bytes of compact JSON.
    pub const MAX_BYTES: usize = 16 * 1024;
    /// Maximum nesting depth; the object itself has depth 1.
    pub const MAX_DEPTH: usize = 8;

    /// Checked object.
    ///
    /// # Errors
    /// [`BadMetadata`] for an object over a bound.
    pub fn new(object: Map<String, Value>) -> Result<Self, BadMetadata> {
        if !object.values().all(|value| depth_within(value, Self::MAX_DEPTH - 1)) {
            return Err(BadMetadata::TooDeep);
        }
        if object.iter().any(|(key, value)| key.contains('\0') || has_nul(value)) {
            return Err(BadMetadata::Nul);
        }
        let metadata = Self(object);
        if metadata.to_json().len() > Self::MAX_BYTES {
            return Err(BadMetadata::TooLarge);
        }
        Ok(metadata)
    }

    /// The object.
    pub fn as_map(&self) -> &Map<String, Value> {
        &self.0
    }

    /// True for an object without members.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Compact JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string(&self.0).unwrap_or_default()
    }

    /// Inverse of [`Metadata::to_json`]; `None` if the text is not a JSON object.
    pub fn from_json(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok().map(Self)
    }

    /// Scalars with their paths, as filters see them; an array gives one entry per element.
    pub fn scalars(&self) -> Vec<(String, &Value)> {
        let mut found = Vec::new();
        for (key, value) in &self.0 {
            collect(key.clone(), value, &mut found);
        }
        found
    }
}

fn collect<'a>(path: String, value: &'a Value, found: &mut Vec<(String, &'a Value)>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                collect(format!("{path}.{key}"), value, found);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect(path.clone(), value, found)),
        Value::Null => {}
        Value::Bool(_) | Value::Number(_) | Value::String(_) => found.push((path, value)),
    }
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(values) => values.iter().any(has_nul),
        Value::Object(object) => object.iter().any(|(key, value)| key.contains('\0') || has_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn depth_within(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(values) => levels > 0 && values.iter().all(|value| depth_within(value, levels - 1)),
        Value::Object(object) => levels > 0 && object.values().all(|value| depth_within(value, levels - 1)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(text: &str) -> Map<String, Value> {
        serde_json::from_str(text).expect("an object")
    }

    #[test]
    fn objects_over_the_size_or_depth_are_refused() {
        assert_eq!(Metadata::new(object(r#"{"a":[[[[[[[1]]]]]]]}"#)).map(|_| ()), Ok(()));
        assert_eq!(Metadata::new(object(r#"{"a":[[[[[[[[1]]]]]]]]}"#)), Err(BadMetadata::TooDeep));
        let large = format!(r#"{{"a":"{}"}}"#, "x".repeat(Metadata::MAX_BYTES));
        assert_eq!(Metadata::new(object(&large)), Err(BadMetadata::TooLarge));
    }

    #[test]
    fn the_character_nul_is_refused_in_keys_and_texts() {
        for text in
            [r#"{"a":"x\u0000"}"#, r#"{"a\u0000":1}"#, r#"{"a":[{"b":["\u0000"]}]}"#, r#"{"a":{"\u0000":1}}"#]
        {
            assert_eq!(Metadata::new(object(text)), Err(BadMetadata::Nul), "{text}");
        }
    }

    #[test]
    fn scalars_are_listed_with_their_paths() {
        let metadata = Metadata::new(object(r#"{"a":{"b":[1,"x"]},"c":true,"d":null}"#)).expect("small");
        let seen: Vec<String> =
            metadata.scalars().iter().map(|(path, value)| format!("{path}={value}")).collect();
        assert_eq!(seen, ["a.b=1", "a.b=\"x\"", "c=true"]);
    }
}
