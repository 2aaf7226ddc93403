//! Violation of a contract: a stable code for this program, and a detail for the model.

/// Maximum length of the detail of a violation, in characters.
pub const DETAIL_CHARS_AT_MOST: usize = 300;

/// Violation of a contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadReply {
    /// Stable name of the kind in snake_case, for metrics and jobs, such as `unknown_handle`.
    pub code: &'static str,
    /// Correction that the model is to make; shown to the model only, cut to [`DETAIL_CHARS_AT_MOST`] characters.
    pub detail: String,
}

impl BadReply {
    /// The reply has no JSON object.
    pub const NOT_JSON: &'static str = "not_json";
    /// The reply ends at the limit of tokens, or within its object.
    pub const TRUNCATED: &'static str = "truncated";
    /// The back end withheld the reply.
    pub const FILTERED: &'static str = "filtered";
    /// The reply has too many bytes.
    pub const TOO_LARGE: &'static str = "too_large";
    /// The reply is nested too deeply.
    pub const TOO_DEEP: &'static str = "too_deep";
    /// The reply has two different objects, or an object has two fields of one name.
    pub const AMBIGUOUS: &'static str = "ambiguous";
    /// A handle that the prompt did not give.
    pub const UNKNOWN_HANDLE: &'static str = "unknown_handle";
    /// Two parts of the reply contradict each other.
    pub const CONTRADICTORY: &'static str = "contradictory";
    /// A required field is missing.
    pub const MISSING_FIELD: &'static str = "missing_field";
    /// A value has the wrong type or is outside its range.
    pub const WRONG_TYPE: &'static str = "wrong_type";
    /// A list or a text exceeds its limit.
    pub const OVER_LIMIT: &'static str = "over_limit";

    /// Violation with its detail.
    pub fn new(code: &'static str, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }
}
