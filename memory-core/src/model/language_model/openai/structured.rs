//! Choice of the `response_format`, with a memory of what the service rejects.

use std::sync::atomic::{AtomicU8, Ordering};

use super::settings::StructuredOutput;
use crate::model::openai_service::Failure;

/// Words of the message by which services reject a `response_format`, or a schema that they cannot compile.
const REJECTIONS: [&str; 7] =
    ["response_format", "json_schema", "json_object", "schema", "grammar", "guided", "structured"];

/// Format of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    JsonSchema = 0,
    JsonObject = 1,
    None = 2,
}

impl Format {
    const ALL: [Self; 3] = [Self::JsonSchema, Self::JsonObject, Self::None];
}

/// Format that the service accepts, as far as is known.
#[derive(Debug)]
pub(super) struct Structured {
    is_auto: bool,
    /// Number of the first format that was not rejected.
    first: AtomicU8,
}

impl Structured {
    pub(super) fn new(configured: StructuredOutput) -> Self {
        let first = match configured {
            StructuredOutput::Auto | StructuredOutput::JsonSchema => Format::JsonSchema,
            StructuredOutput::JsonObject => Format::JsonObject,
            StructuredOutput::None => Format::None,
        };
        Self { is_auto: configured == StructuredOutput::Auto, first: AtomicU8::new(first as u8) }
    }

    /// Format of the next request.
    pub(super) fn format(&self) -> Format {
        let first = self.first.load(Ordering::Acquire);
        Format::ALL.into_iter().find(|format| *format as u8 == first).unwrap_or(Format::None)
    }

    /// True if the failure rejects the format and another one is left, which is remembered for all further requests.
    pub(super) fn steps_down(&self, format: Format, failure: &Failure) -> bool {
        let next = format as u8 + 1;
        let steps = self.is_auto && next <= Format::None as u8 && is_rejection(failure);
        // Concurrent requests may have stepped down already.
        if steps && self.first.fetch_max(next, Ordering::AcqRel) < next {
            tracing::warn!(rejected = ?format, "the language model rejects this response_format; the next is used");
        }
        steps
    }
}

/// True for a status of 400 or 422 whose message names the format, or that has no message.
fn is_rejection(failure: &Failure) -> bool {
    let Failure::Status { status: 400 | 422, message, .. } = failure else { return false };
    let message = message.to_lowercase();
    message.trim().is_empty() || REJECTIONS.iter().any(|word| message.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(status: u16, message: &str) -> Failure {
        Failure::Status { status, code: "unknown".into(), message: message.into(), retry_after: None }
    }

    #[test]
    fn auto_steps_down_once_per_rejected_format_and_remembers_it() {
        let structured = Structured::new(StructuredOutput::Auto);
        let rejected = status(400, "'response_format.type' must be one of ...");
        assert!(structured.steps_down(Format::JsonSchema, &rejected));
        assert!(structured.steps_down(Format::JsonSchema, &rejected), "a concurrent request");
        assert_eq!(structured.format(), Format::JsonObject);
        assert!(structured.steps_down(Format::JsonObject, &status(422, "")));
        assert!(!structured.steps_down(Format::None, &rejected));
        assert_eq!(structured.format(), Format::None);
    }

    #[test]
    fn other_refusals_and_configured_formats_keep_the_format() {
        let auto = Structured::new(StructuredOutput::Auto);
        for other in [status(400, "no such model"), status(500, "schema"), Failure::TimedOut] {
            assert!(!auto.steps_down(Format::JsonSchema, &other));
        }
        let fixed = Structured::new(StructuredOutput::JsonSchema);
        assert!(!fixed.steps_down(Format::JsonSchema, &status(400, "response_format")));
        assert_eq!(Structured::new(StructuredOutput::JsonObject).format(), Format::JsonObject);
    }
}
