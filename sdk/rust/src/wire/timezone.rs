//! Time zone of a scope: where its days begin.

use serde::{Deserialize, Serialize};

use super::memory::Scope;
use super::null_or_value;

/// Body of `PUT /v1/timezone`: time zone of a scope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SetTimezone {
    /// Scope.
    pub scope: Scope,
    /// Name in the IANA time-zone database (`Asia/Shanghai`), or offset from UTC (`+08:00`); `null` for that of the
    /// configuration. Required.
    #[cfg_attr(feature = "schema", schema(required = true))]
    #[serde(deserialize_with = "null_or_value")]
    pub timezone: Option<String>,
}

/// Response of `GET /v1/timezone`: time zone of a scope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct TimezoneState {
    /// Time zone in use: a name in the IANA time-zone database, `UTC`, or an offset from UTC.
    pub timezone: String,
    /// True if the owner of the scope has a time zone of its own.
    pub is_own: bool,
}
