//! Regular expressions of texts and names in the OpenAPI document (ECMA-262, as JSON Schema wants them), from the characters
//! that the engine knows.
//!
//! Characters beyond U+FFFF that show nothing are left out, because they have no escape that all dialects read: a text of
//! nothing else is refused although it matches.

use std::fmt::Write as _;

use memory_core::domain::visible::SHOW_NOTHING;

/// Control characters but U+0000.
const CONTROLS: &str = r"\u0001-\u001f\u007f-\u009f";
/// White space that is no control character (Unicode, property White_Space). `\s` differs between dialects.
const SPACES: &str = r"\u0020\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000";
/// Separators of lines, and controls of the direction of writing, which names must not have.
const BREAKS: &str = r"\u2028-\u202e\u2066-\u2069";

/// Form of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pattern {
    /// Name: something visible on one line, see [`memory_core::domain::name::Name`].
    Name,
    /// Text that is stored: something visible, and no U+0000.
    Text,
    /// Text that is not stored: something visible.
    Query,
    /// Key that is stored: no U+0000.
    Stored,
    /// Name in a header.
    Header,
    /// Slot, see [`memory_core::domain::statement::Attribute`].
    Attribute,
}

impl Pattern {
    /// The regular expression. A text is matched in time linear in its length, names (which are short) excepted.
    pub(super) fn expression(self) -> String {
        let unseen = unseen();
        match self {
            Self::Name => {
                let line = format!(r"[^\u0000{CONTROLS}{BREAKS}]*");
                format!(r"^{line}[^\u0000{unseen}]{line}$")
            }
            Self::Text => format!(r"^[{unseen}]*[^\u0000{unseen}][^\u0000]*$"),
            Self::Query => format!(r"[^\u0000{unseen}]"),
            Self::Stored => r"^[^\u0000]*$".to_owned(),
            Self::Header => "^[ -~]*[!-~][ -~]*$".to_owned(),
            Self::Attribute => "^[a-z][a-z0-9_]*$".to_owned(),
        }
    }
}

/// Inside of a class of all characters that show nothing, but U+0000.
fn unseen() -> String {
    let mut class = format!("{CONTROLS}{SPACES}");
    for (first, last) in SHOW_NOTHING.into_iter().filter(|(_, last)| *last <= 0xffff) {
        let _ = write!(class, r"\u{first:04x}");
        if last > first {
            let _ = write!(class, r"-\u{last:04x}");
        }
    }
    class
}

#[cfg(test)]
mod tests {
    use memory_core::domain::name::Name;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn readers_of_files_leave_out_what_the_server_refuses_as_blank() {
        for letter in (0..=0x0010_ffff).filter_map(char::from_u32) {
            let text = letter.to_string();
            let (is_refused, is_left_out) = (Name::new(&text).is_err(), engrain::formats::is_blank(&text));
            assert_eq!(is_refused && !letter.is_control(), is_left_out && !letter.is_control(), "{letter:?}");
        }
    }

    fn matcher(pattern: Pattern) -> regex::Regex {
        // The dialect of the crate has the same classes, and another escape.
        let expression = pattern.expression();
        let escaped =
            regex::Regex::new(r"\\u([0-9a-f]{4})").unwrap().replace_all(&expression, r"\x{$1}").into_owned();
        regex::Regex::new(&escaped).unwrap()
    }

    #[test]
    fn a_text_of_characters_that_show_nothing_does_not_match() {
        let (text, query, stored) =
            (matcher(Pattern::Text), matcher(Pattern::Query), matcher(Pattern::Stored));
        for invisible in
            ["", " \n\t", "\u{1}", "\u{200b}", "\u{feff}\u{200d} ", "\u{ad}", "\u{3164}", "\u{85}\u{3000}"]
        {
            assert!(!text.is_match(invisible) && !query.is_match(invisible), "{invisible:?}");
        }
        for visible in ["a", "\u{200b}a", " a\n", "日本", "👩\u{200d}👧", "\u{301}"] {
            assert!(text.is_match(visible) && query.is_match(visible), "{visible:?}");
        }
        assert!(!text.is_match("a\0") && !text.is_match("\0a") && query.is_match("a\0"));
        assert!(stored.is_match("") && stored.is_match(" ") && !stored.is_match("a\0b"));
    }

    proptest! {
        #[test]
        fn a_name_is_valid_where_it_matches(
            text in r"[ -~\u{0}-\u{1f}\u{7f}-\u{a0}\u{ad}\u{2000}-\u{206f}\u{feff}日é]{1,4}",
        ) {
            prop_assert_eq!(matcher(Pattern::Name).is_match(&text), Name::new(&text).is_ok(), "{:?}", text);
        }
    }
}
