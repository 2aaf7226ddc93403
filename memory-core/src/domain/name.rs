//! Names: short texts that identify a user, an agent, a tag, a namespace. Checked once, on input.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use unicode_normalization::{UnicodeNormalization, is_nfc};

use super::visible::is_visible;

/// Name: 1 to 256 bytes of text in Unicode form NFC, with a visible character and without characters that break or turn
/// round a line. Compared byte by byte: `Ann` and `ann` are two names, and the two ways to encode `é` are one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

/// Reason to refuse a text as [`Name`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// No visible character: empty, white space, or zero-width characters only.
    #[error("must not be empty")]
    Empty,
    /// Length over [`Name::MAX_BYTES`].
    #[error("must be at most {} bytes long", Name::MAX_BYTES)]
    TooLong,
    /// Control characters (line breaks, tabs, NUL and others), line and paragraph separators, and the controls that embed,
    /// override or isolate the direction of writing.
    #[error("must not contain control characters")]
    ControlCharacter,
}

impl Name {
    /// Maximum length, in bytes.
    pub const MAX_BYTES: usize = 256;

    /// Checked name, in Unicode form NFC. Nothing is trimmed, and upper and lower case differ.
    ///
    /// # Errors
    /// [`BadName`] for a text that shows nothing, is too long, or has control characters.
    pub fn new(text: &str) -> Result<Self, BadName> {
        // Bounded before it is normalised. No text becomes shorter by more than this factor (UAX 15, section 9).
        if text.len() > 3 * Self::MAX_BYTES {
            return Err(BadName::TooLong);
        }
        Self::checked(&normalized(text))
    }

    fn checked(text: &str) -> Result<Self, BadName> {
        if !is_visible(text) {
            Err(BadName::Empty)
        } else if text.len() > Self::MAX_BYTES {
            Err(BadName::TooLong)
        } else if text.chars().any(breaks_lines) {
            Err(BadName::ControlCharacter)
        } else {
            Ok(Self(text.into()))
        }
    }

    /// Name as it is stored. Versions of Engrain before the checks of [`Name::new`] stored other forms too, which stay
    /// readable.
    ///
    /// # Errors
    /// [`BadName`] for a text that no version stored.
    pub fn stored(text: &str) -> Result<Self, BadName> {
        if text.trim().is_empty() {
            Err(BadName::Empty)
        } else if text.len() > Self::MAX_BYTES {
            Err(BadName::TooLong)
        } else if text.chars().any(char::is_control) {
            Err(BadName::ControlCharacter)
        } else {
            Ok(Self(text.into()))
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text with characters that end a line or turn its direction replaced by U+FFFD. Names of earlier versions may
    /// have them.
    pub fn on_one_line(&self) -> Cow<'_, str> {
        if self.0.chars().any(breaks_lines) {
            Cow::Owned(self.0.replace(breaks_lines, "\u{fffd}"))
        } else {
            Cow::Borrowed(&self.0)
        }
    }

    /// Prefix that attributes a text to this name, for models: `Ann: `.
    pub fn heading(&self) -> String {
        format!("{}: ", self.0)
    }
}

/// Text in Unicode form NFC, as names are compared.
pub fn normalized(text: &str) -> Cow<'_, str> {
    if is_nfc(text) { Cow::Borrowed(text) } else { Cow::Owned(text.nfc().collect()) }
}

/// True for a character that ends a line or turns the direction of what follows, in a text that is shown on one line.
fn breaks_lines(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_texts_are_refused_as_names() {
        assert_eq!(Name::new("ann_b/1").map(|name| name.to_string()), Ok("ann_b/1".to_owned()));
        assert_eq!(Name::new("  "), Err(BadName::Empty));
        assert_eq!(Name::new("a\nb"), Err(BadName::ControlCharacter));
        assert_eq!(Name::new("\u{200b}\u{feff}"), Err(BadName::Empty));
        assert_eq!(Name::new("a\u{2028}b"), Err(BadName::ControlCharacter));
        assert_eq!(Name::new("a\u{202e}b"), Err(BadName::ControlCharacter));
        assert_eq!(Name::new(&"x".repeat(257)), Err(BadName::TooLong));
        assert_eq!(Name::new(&"x".repeat(1_000_000)), Err(BadName::TooLong));
    }

    #[test]
    fn two_encodings_of_one_name_are_one_name() {
        let composed = Name::new("Ren\u{e9}").unwrap();
        assert_eq!(Name::new("Rene\u{301}"), Ok(composed.clone()));
        assert_eq!(composed.as_str(), "Ren\u{e9}");
        assert_ne!(Name::new("rené"), Name::new("René"));
        let longest = "e\u{301}".repeat(128);
        assert_eq!(Name::new(&longest).map(|name| name.as_str().len()), Ok(256));
    }

    #[test]
    fn a_name_of_an_earlier_version_stays_readable() {
        for text in ["Rene\u{301}", "a\u{2028}b", "\u{200b}", "a\u{202e}b"] {
            let name = Name::stored(text).unwrap();
            assert_eq!(name.as_str(), text);
            assert!(!name.on_one_line().contains(['\u{2028}', '\u{202e}']));
        }
        assert_eq!(Name::stored("a\nb"), Err(BadName::ControlCharacter));
    }
}
