//! Short texts that name something: a user, an agent, a tag, a namespace. Checked once, where they enter.

use std::fmt;
use std::sync::Arc;

/// A name: 1 to 256 bytes of text without control characters, compared byte by byte.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

/// Why a text is not a [`Name`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// Nothing but white space.
    #[error("must not be empty")]
    Empty,
    /// Over [`Name::MAX_BYTES`].
    #[error("must be at most {} bytes long", Name::MAX_BYTES)]
    TooLong,
    /// Line breaks, tabs, NUL and their like.
    #[error("must not contain control characters")]
    ControlCharacter,
}

impl Name {
    /// The longest name, in bytes.
    pub const MAX_BYTES: usize = 256;

    /// A checked name. Nothing is trimmed or folded: `Ann` and `ann` are two users.
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

    /// What stands before the words of whoever is called so, for models that read them: `Ann: `.
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
    fn checks_its_text() {
        assert_eq!(Name::new("ann_b/1").map(|name| name.to_string()), Ok("ann_b/1".to_owned()));
        assert_eq!(Name::new("  "), Err(BadName::Empty));
        assert_eq!(Name::new("a\nb"), Err(BadName::ControlCharacter));
        assert_eq!(Name::new(&"x".repeat(257)), Err(BadName::TooLong));
    }
}
