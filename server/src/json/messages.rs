//! Sentences for the messages of serde and of the parsers behind it, which name Rust types that a client does not know.

/// Sentence for a message; a message that names no Rust type stays as it is.
pub(super) fn plain(message: &str) -> String {
    let of_parser = match message {
        // Of `u32::from_str`, for query strings. Their integers have no sign.
        "invalid digit found in string" | "cannot parse integer from empty string" => {
            Some("must be a whole number of at least 0")
        }
        "number too large to fit in target type" => Some("the number is too large"),
        "number too small to fit in target type" => Some("the number is too small"),
        "invalid float literal" | "cannot parse float from empty string" => Some("must be a number"),
        "provided string was not `true` or `false`" => Some("must be true or false"),
        _ if message.starts_with("UUID parsing failed") => Some("must be a UUID"),
        _ => None,
    };
    if let Some(sentence) = of_parser {
        return sentence.to_owned();
    }
    // What was found may be a text of the client. What is expected comes last, and is not.
    let found_and_expected = message.rsplit_once(", expected ");
    let sentence = found_and_expected.and_then(|(found, expected)| {
        if found.starts_with("unknown variant ") {
            return one_of(expected);
        }
        let is_of_the_type = found.starts_with("invalid value: ");
        let is_mismatch = is_of_the_type || found.starts_with("invalid type: ");
        is_mismatch.then(|| of_type(expected, is_of_the_type)).flatten()
    });
    sentence.unwrap_or_else(|| message.to_owned())
}

/// Sentence for an expectation. `is_of_the_type` is true for a value of the right JSON type that is out of range.
fn of_type(expected: &str, is_of_the_type: bool) -> Option<String> {
    let up_to = |most: u64| format!("must be a whole number from 0 to {most}");
    let sentence = match (expected, is_of_the_type) {
        ("f32" | "f64", _) => "must be a number",
        ("u8", true) => return Some(up_to(u8::MAX.into())),
        ("u16", true) => return Some(up_to(u16::MAX.into())),
        ("u32", true) => return Some(up_to(u32::MAX.into())),
        ("u64" | "usize", true) => return Some(up_to(u64::MAX)),
        ("u8" | "u16" | "u32" | "u64" | "usize" | "i8" | "i16" | "i32" | "i64" | "isize", _) => {
            "must be a whole number"
        }
        ("a boolean", _) => "must be true or false",
        ("a string" | "a borrowed string" | "a character", _) => "must be a string",
        ("a sequence", _) => "must be an array",
        ("a map", _) => "must be an object",
        (other, _) if other.starts_with("struct ") => "must be an object",
        (other, _) if other.contains("UUID") => "must be a UUID",
        (other, _) => return one_of(other),
    };
    Some(sentence.to_owned())
}

/// Sentence for a list of names as serde writes it: `` one of `a`, `b`, `c` ``, or `` `a` or `b` ``.
fn one_of(expected: &str) -> Option<String> {
    let is_list = expected.starts_with('`') || expected.starts_with("one of `");
    let names: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
    is_list.then(|| format!("must be one of {}", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_says_what_the_value_must_be_without_a_rust_type() {
        for (message, sentence) in [
            ("invalid type: string \"x\", expected f32", "must be a number"),
            ("invalid type: string \"x\", expected u32", "must be a whole number"),
            ("invalid type: floating point `1.5`, expected u64", "must be a whole number"),
            ("invalid value: integer `-1`, expected u32", "must be a whole number from 0 to 4294967295"),
            ("invalid type: sequence, expected struct ForgettingPolicy", "must be an object"),
            ("invalid type: integer `7`, expected a string", "must be a string"),
            ("invalid type: string \"yes\", expected a boolean", "must be true or false"),
            ("invalid type: map, expected a sequence", "must be an array"),
            ("invalid type: string \", expected u32\", expected a map", "must be an object"),
            ("unknown variant `robot`, expected one of `user`, `tool`", "must be one of user, tool"),
            ("unknown variant `x`, expected `off` or `default`", "must be one of off, default"),
            ("invalid type: integer `7`, expected one of `user`, `tool`", "must be one of user, tool"),
            ("UUID parsing failed: invalid length: expected 32, found 1", "must be a UUID"),
            ("invalid type: integer `7`, expected a formatted UUID string", "must be a UUID"),
            ("invalid digit found in string", "must be a whole number of at least 0"),
            ("number too large to fit in target type", "the number is too large"),
        ] {
            assert_eq!(plain(message), sentence, "{message}");
        }
        for message in ["give either a or b", "unknown field `x`, expected `y`", "a list, expected u32"] {
            assert_eq!(plain(message), message);
        }
    }
}
