//! Filters as JSON: `{"and": [...]}`, `{"or": [...]}`, `{"not": {...}}`, or a test of one field such as `{"field":
//! "tags", "contains": "travel"}`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Condition on memories: exactly one of `and`, `or`, `not`, or a `field` with exactly one test.
///
/// Fields: `kind`, `role`, `author`, `agent_id`, `app_id`, `run_id`, `session`, `namespace`, `key`, `happened_at`,
/// `recorded_at`, `created_at`, `valid_from`, `valid_to`, `expires_at`, `importance`, `version`, `tags`, `subjects`,
/// `audience`, and `metadata.PATH` for any path inside the metadata. A test of a field that a memory lacks is false, so
/// its negation is true.
///
/// Times are RFC 3339, or dates, which are the beginning of that day in the time zone of the request (recall) or owner. They
/// are compared as moments: a memory whose time was given with an offset may be on another day there.
///
/// Numbers are compared by their exact value: 1 equals 1.0, and integers from -2^63 to 2^64 - 1 are never rounded. Any
/// other number, in metadata as in a filter, is the nearest double.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// Conjunction: every condition of the list holds. True if empty.
    #[cfg_attr(feature = "schema", schema(no_recursion))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub and: Option<Vec<Filter>>,
    /// Disjunction: at least one condition of the list holds. False if empty.
    #[cfg_attr(feature = "schema", schema(no_recursion))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub or: Option<Vec<Filter>>,
    /// Negation: the condition does not hold.
    #[cfg_attr(feature = "schema", schema(no_recursion))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not: Option<Box<Filter>>,
    /// Field to test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Test of equality with a string, number or boolean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eq: Option<Value>,
    /// Test of equality with one of at most 1,000 values.
    #[serde(rename = "in", default, skip_serializing_if = "Option::is_none")]
    pub one_of: Option<Vec<Value>>,
    /// Test of a range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<FilterRange>,
    /// Test of containment. Strings: the substring, regardless of case. `tags`, `subjects` and `audience`: the
    /// member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
    /// Test of absence. True: the field has no value. False: it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_null: Option<bool>,
}

/// Bounds of a range; at least one is required.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct FilterRange {
    /// Inclusive lower bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gte: Option<Value>,
    /// Exclusive lower bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gt: Option<Value>,
    /// Inclusive upper bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lte: Option<Value>,
    /// Exclusive upper bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lt: Option<Value>,
}

impl Filter {
    /// Test that `field` equals `value`.
    pub fn eq(field: impl Into<String>, value: impl Into<Value>) -> Self {
        Self { field: Some(field.into()), eq: Some(value.into()), ..Self::default() }
    }

    /// Test that `field` contains `text`.
    pub fn contains(field: impl Into<String>, text: impl Into<String>) -> Self {
        Self { field: Some(field.into()), contains: Some(text.into()), ..Self::default() }
    }

    /// Conjunction of `parts`.
    pub fn all(parts: impl IntoIterator<Item = Filter>) -> Self {
        Self { and: Some(parts.into_iter().collect()), ..Self::default() }
    }

    /// Disjunction of `parts`.
    pub fn any(parts: impl IntoIterator<Item = Filter>) -> Self {
        Self { or: Some(parts.into_iter().collect()), ..Self::default() }
    }

    /// Negation of `part`.
    pub fn negate(part: Filter) -> Self {
        Self { not: Some(Box::new(part)), ..Self::default() }
    }
}
