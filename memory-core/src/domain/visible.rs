//! Visible characters, pure: texts and names need one. White space, controls, and what Unicode calls default-ignorable
//! (zero-width joiners and spaces, variation selectors, byte order marks, fillers) show nothing.

/// Ranges of characters that show nothing, beside white space and controls: Default_Ignorable_Code_Point of Unicode 16
/// (DerivedCoreProperties.txt), and the blank Braille pattern.
pub const SHOW_NOTHING: [(u32, u32); 18] = [
    (0x00AD, 0x00AD),
    (0x034F, 0x034F),
    (0x061C, 0x061C),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x200B, 0x200F),
    (0x202A, 0x202E),
    (0x2060, 0x206F),
    (0x2800, 0x2800),
    (0x3164, 0x3164),
    (0xFE00, 0xFE0F),
    (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0),
    (0xFFF0, 0xFFF8),
    (0x1BCA0, 0x1BCA3),
    (0x1D173, 0x1D17A),
    (0xE0000, 0xE0FFF),
];

/// True if a text shows something.
pub(crate) fn is_visible(text: &str) -> bool {
    text.chars().any(|letter| !letter.is_whitespace() && !letter.is_control() && !shows_nothing(letter))
}

fn shows_nothing(letter: char) -> bool {
    let code = u32::from(letter);
    SHOW_NOTHING.iter().any(|(first, last)| (*first..=*last).contains(&code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_characters_that_show_nothing_is_not_visible() {
        for text in
            ["", " \n\t", "\u{200b}", "\u{feff}\u{200d} ", "\u{ad}", "\u{e0041}", "\u{3164}", "\u{202e}"]
        {
            assert!(!is_visible(text), "{text:?}");
        }
        for text in ["a", "\u{200b}a", "日本", "👩\u{200d}👧", "…", "\u{301}", "\u{fffd}"] {
            assert!(is_visible(text), "{text:?}");
        }
    }
}
