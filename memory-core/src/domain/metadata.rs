//! What an application wants to keep beside a turn or a memory: a JSON object of its own, bounded, never looked into
//! by Engrain except through a filter.

use serde_json::{Map, Value};

/// A JSON object, checked for size and depth.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata(Map<String, Value>);

/// Why an object is not [`Metadata`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadMetadata {
    /// Over [`Metadata::MAX_BYTES`] as JSON.
    #[error("must be at most {} bytes of JSON", Metadata::MAX_BYTES)]
    TooLarge,
    /// Over [`Metadata::MAX_DEPTH`].
    #[error("must be nested at most {} deep", Metadata::MAX_DEPTH)]
    TooDeep,
}

impl Metadata {
    /// The largest object, in bytes of compact JSON.
    pub const MAX_BYTES: usize = 16 * 1024;
    /// The deepest nesting, the object itself being 1.
    pub const MAX_DEPTH: usize = 8;

    /// A checked object.
    pub fn new(object: Map<String, Value>) -> Result<Self, BadMetadata> {
        if !object.values().all(|value| depth_within(value, Self::MAX_DEPTH - 1)) {
            return Err(BadMetadata::TooDeep);
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

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Compact JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string(&self.0).unwrap_or_default()
    }

    /// From what [`Metadata::to_json`] wrote; `None` if it is not an object.
    pub fn from_json(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok().map(Self)
    }

    /// Every scalar with its path, arrays giving one entry per element: what a filter sees.
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
    fn bounds_size_and_depth() {
        assert_eq!(Metadata::new(object(r#"{"a":[[[[[[[1]]]]]]]}"#)).map(|_| ()), Ok(()));
        assert_eq!(Metadata::new(object(r#"{"a":[[[[[[[[1]]]]]]]]}"#)), Err(BadMetadata::TooDeep));
        let large = format!(r#"{{"a":"{}"}}"#, "x".repeat(Metadata::MAX_BYTES));
        assert_eq!(Metadata::new(object(&large)), Err(BadMetadata::TooLarge));
    }

    #[test]
    fn shows_its_scalars_with_paths() {
        let metadata = Metadata::new(object(r#"{"a":{"b":[1,"x"]},"c":true,"d":null}"#)).expect("small");
        let seen: Vec<String> =
            metadata.scalars().iter().map(|(path, value)| format!("{path}={value}")).collect();
        assert_eq!(seen, ["a.b=1", "a.b=\"x\"", "c=true"]);
    }
}
