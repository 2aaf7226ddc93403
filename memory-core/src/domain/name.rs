//! Names: short texts that identify a user, an agent, a tag, a namespace. Checked once, on input.

use std::fmt;
use std::sync::Arc;

/// Name: 1 to 256 bytes of text without control characters, compared byte by byte.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

/// Reason to refuse a text as [`Name`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// Empty or white space only.
    #[error("must not be empty")]
    Empty,
    /// Length over [`Name::MAX_BYTES`].
    #[error("must be at most {} bytes long", Name::MAX_BYTES)]
    TooLong,
    /// Control characters: line breaks, tabs, NUL and others.
    #[error("must not contain control characters")]
    ControlCharacter,
}

impl Name {
    /// Maximum length, in bytes.
    pub const MAX_BYTES: usize = 256;

    /// Checked name. Nothing is trimmed or folded: `Ann` and `ann` are two users.
    ///
    /// # Errors
    /// [`BadName`] for a text that is empty, too long, or has control characters.
    pub fn new(text: &str) -> Result<Self, BadName> {
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

    /// Prefix that attributes a text to this name, for models: `Ann: `.
    pub fn heading(&self) -> String {
        format!("{}: ", self.0)
    }
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
        assert_eq!(Name::new(&"x".repeat(257)), Err(BadName::TooLong));
    }
}
