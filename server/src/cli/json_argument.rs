//! Arguments of commands that are JSON objects.

use serde::de::DeserializeOwned;

use super::failure::Failure;
use crate::json::parse;

/// Value of an argument, read as strictly as the body of a request: an array is no object.
pub(super) fn json_argument<T: DeserializeOwned>(argument: &str, text: &str) -> Result<T, Failure> {
    if text.trim().is_empty() {
        return Err(Failure::Usage(format!("{argument}: must be a JSON object, and is empty")));
    }
    parse(text.as_bytes()).map_err(|problem| {
        // `body` names the whole of a request; here it is the argument.
        let field = problem.field.filter(|field| field != "body");
        let path = field.map(|field| format!("{field}: ")).unwrap_or_default();
        Failure::Usage(format!("{argument}: {path}{}", problem.detail))
    })
}

#[cfg(test)]
mod tests {
    use engrain::wire::{Filter, ForgettingPolicy};

    use super::*;

    #[test]
    fn only_a_json_object_is_read_and_a_refusal_names_argument_and_field() {
        let refused = |text: &str| json_argument::<ForgettingPolicy>("the policy", text).unwrap_err();
        for text in ["[]", r#"["wixted",null,"exclude"]"#, "null", "7", r#""wixted""#] {
            let refusal = refused(text);
            assert_eq!(refusal.exit_status(), 2, "{text}");
            assert_eq!(refusal.to_string(), "the policy: must be an object", "{text}");
        }
        for (text, detail) in [
            ("", "the policy: must be a JSON object, and is empty"),
            (r#"{"grace_days": "x"}"#, "the policy: grace_days: must be a whole number"),
            (r#"{"initial_strengths": [1]}"#, "the policy: initial_strengths: must be an object"),
        ] {
            assert_eq!(refused(text).to_string(), detail, "{text}");
        }
        assert!(refused(r#"{"curve": "hlr"} x"#).to_string().contains("trailing"));
        let read = json_argument::<ForgettingPolicy>("the policy", r#"{"curve": "hlr"}"#);
        assert_eq!(read.map(|policy| policy.curve).ok().as_deref(), Some("hlr"));
        assert!(json_argument::<Filter>("--filter", r#"[null,null,null,"kind"]"#).is_err());
    }
}
