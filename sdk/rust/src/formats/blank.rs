//! Blank texts: those that show nothing. A server refuses them, so that a reader of files leaves them out and counts them.

/// Ranges of characters that show nothing, beside white space and controls, as the server has them
/// (`memory_core::domain::visible`; a test of the server compares the two).
const SHOW_NOTHING: [(u32, u32); 18] = [
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

/// True if a text shows nothing: it has white space, controls and invisible characters alone, such as the zero-width spaces
/// that some chat programs leave as a turn.
pub fn is_blank(text: &str) -> bool {
    text.chars().all(|letter| letter.is_whitespace() || letter.is_control() || shows_nothing(letter))
}

fn shows_nothing(letter: char) -> bool {
    let code = u32::from(letter);
    SHOW_NOTHING.iter().any(|(first, last)| (*first..=*last).contains(&code))
}
