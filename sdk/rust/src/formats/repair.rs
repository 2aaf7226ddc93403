//! Parser of records that repairs what other programs write although JSON forbids it.
//!
//! Repairs, tried only where a record is not valid JSON: bytes that are not UTF-8 and surrogates without their other
//! half become U+FFFD, control characters within texts are kept, and `NaN` and `Infinity` become null.

use serde::de::DeserializeOwned;

use super::error::{FormatError, SourceLocation};

/// Replacement of an unpaired surrogate, as an escape of the same length.
const REPLACEMENT: &[u8] = b"\\ufffd";

/// Words of JavaScript and Python for numbers that JSON does not have. The longest first.
const NO_NUMBERS: [&[u8]; 3] = [b"-Infinity", b"Infinity", b"NaN"];

/// Value of `record`, repaired if it is not valid JSON.
///
/// # Errors
/// [`FormatError::Shape`] with the fault of the original.
pub(super) fn parse<T: DeserializeOwned>(record: &[u8], location: &SourceLocation) -> Result<T, FormatError> {
    match serde_json::from_slice(record) {
        Ok(value) => Ok(value),
        // A valid record of another shape has nothing to repair.
        Err(source) if source.is_data() && std::str::from_utf8(record).is_ok() && !has_surrogate(record) => {
            Err(FormatError::Shape { location: location.clone(), source })
        }
        Err(source) => serde_json::from_slice(&repaired(record))
            .map_err(|_| FormatError::Shape { location: location.clone(), source }),
    }
}

/// True if an escape of a surrogate may be in `record`.
fn has_surrogate(record: &[u8]) -> bool {
    record.windows(3).any(|three| matches!(three, [b'\\', b'u', b'd' | b'D']))
}

fn repaired(record: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(record);
    let bytes = text.as_bytes();
    let (mut out, mut at, mut in_string) = (Vec::with_capacity(bytes.len()), 0, false);
    while let Some(&byte) = bytes.get(at) {
        let rest = bytes.get(at..).unwrap_or_default();
        let taken = match byte {
            b'"' => {
                in_string = !in_string;
                out.push(byte);
                1
            }
            b'\\' if in_string => escape(rest, &mut out),
            ..0x20 if in_string => {
                out.extend_from_slice(format!("\\u{byte:04x}").as_bytes());
                1
            }
            b'N' | b'I' | b'-' if !in_string => {
                match NO_NUMBERS.into_iter().find(|word| rest.starts_with(word)) {
                    Some(word) => {
                        out.extend_from_slice(b"null");
                        word.len()
                    }
                    None => {
                        out.push(byte);
                        1
                    }
                }
            }
            _ => {
                out.push(byte);
                1
            }
        };
        at += taken;
    }
    out
}

/// Copies the escape at the beginning of `rest`, and returns its length.
fn escape(rest: &[u8], out: &mut Vec<u8>) -> usize {
    match unit(rest) {
        Some(0xd800..=0xdbff) => match rest.get(6..).and_then(unit) {
            Some(0xdc00..=0xdfff) => {
                out.extend_from_slice(rest.get(..12).unwrap_or_default());
                12
            }
            _ => {
                out.extend_from_slice(REPLACEMENT);
                6
            }
        },
        Some(0xdc00..=0xdfff) => {
            out.extend_from_slice(REPLACEMENT);
            6
        }
        _ => {
            let length = rest.len().min(2);
            out.extend_from_slice(rest.get(..length).unwrap_or_default());
            length
        }
    }
}

/// Code unit of an escape `\uXXXX`.
fn unit(bytes: &[u8]) -> Option<u16> {
    let digits = bytes.strip_prefix(b"\\u")?.get(..4)?;
    u16::from_str_radix(std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?, 16).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn value(record: &[u8]) -> Option<Value> {
        parse(record, &SourceLocation::default()).ok()
    }

    #[test]
    fn what_other_programs_write_is_repaired() {
        assert_eq!(value(br#"{"a": "x\ud83dy"}"#), Some(json!({"a": "x\u{fffd}y"})));
        assert_eq!(
            value(br#"["\ude00\ud83d", "\ud83d\ude00\ud83d"]"#),
            Some(json!(["\u{fffd}\u{fffd}", "\u{1f600}\u{fffd}"]))
        );
        assert_eq!(value(br#"["\\ud83d", NaN, -Infinity]"#), Some(json!(["\\ud83d", null, null])));
        assert_eq!(value(b"[\"a\tb\nc\", \"d\xffe\"]"), Some(json!(["a\tb\nc", "d\u{fffd}e"])));
        assert_eq!(value(br#"{"\udead": 1}"#), Some(json!({"\u{fffd}": 1})));
        assert_eq!(value(br#"{"a": }"#), None);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_are_repaired_without_panic(bytes: Vec<u8>) {
            let _ = value(&bytes);
        }

        #[test]
        fn valid_json_is_not_changed_by_repairs(text in "\\PC{0,30}") {
            let valid = json!({ "a": [text.clone(), 1] });
            prop_assert_eq!(serde_json::from_slice::<Value>(&repaired(valid.to_string().as_bytes())).unwrap(), valid);
        }
    }
}
