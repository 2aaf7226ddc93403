//! Filters on the wire: `{"and": [...]}`, `{"or": [...]}`, `{"not": {...}}`, or a test of one field such as
//! `{"field": "tags", "contains": "travel"}`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A condition on memories: exactly one of `and`, `or`, `not`, or a `field` with exactly one test.
///
/// Fields: `kind`, `role`, `author`, `agent_id`, `app_id`, `run_id`, `session`, `namespace`, `key`, `happened_at`,
/// `recorded_at`, `valid_from`, `valid_to`, `expires_at`, `importance`, `version`, `tags`, `subjects`, and
/// `metadata.PATH` for any path of yours. A test on a field that a memory lacks is false, so its negation is true.
///
/// Numbers are compared by their exact value: 1 equals 1.0, and integers from -2^63 to 2^64 - 1 are never rounded. Any
/// other number, in metadata as in a filter, is the nearest double.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// All of them; true if empty.
    #[cfg_attr(feature = "schema", schema(no_recursion))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub and: Option<Vec<Filter>>,
    /// At least one of them; false if empty.
    #[cfg_attr(feature = "schema", schema(no_recursion))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub or: Option<Vec<Filter>>,
    /// Not this.
    #[cfg_attr(feature = "schema", schema(no_recursion))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not: Option<Box<Filter>>,
    /// The field that is tested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Equal to this text, number or truth value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eq: Option<Value>,
    /// Equal to one of these, at most 1,000.
    #[serde(rename = "in", default, skip_serializing_if = "Option::is_none")]
    pub one_of: Option<Vec<Value>>,
    /// Within bounds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<FilterRange>,
    /// Text: contains this, letters of any case. `tags`, `subjects`: has this member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
    /// True: has no value. False: has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_null: Option<bool>,
}

/// Bounds; at least one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct FilterRange {
    /// Greater than or equal to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gte: Option<Value>,
    /// Greater than.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gt: Option<Value>,
    /// Less than or equal to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lte: Option<Value>,
    /// Less than.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lt: Option<Value>,
}

impl Filter {
    /// `field` equals `value`.
    pub fn eq(field: impl Into<String>, value: impl Into<Value>) -> Self {
        Self { field: Some(field.into()), eq: Some(value.into()), ..Self::default() }
    }

    /// `field` contains `text`.
    pub fn contains(field: impl Into<String>, text: impl Into<String>) -> Self {
        Self { field: Some(field.into()), contains: Some(text.into()), ..Self::default() }
    }

    /// All of `parts`.
    pub fn all(parts: impl IntoIterator<Item = Filter>) -> Self {
        Self { and: Some(parts.into_iter().collect()), ..Self::default() }
    }

    /// At least one of `parts`.
    pub fn any(parts: impl IntoIterator<Item = Filter>) -> Self {
        Self { or: Some(parts.into_iter().collect()), ..Self::default() }
    }

    /// Not `part`.
    pub fn negate(part: Filter) -> Self {
        Self { not: Some(Box::new(part)), ..Self::default() }
    }
}
