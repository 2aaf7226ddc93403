//! Scripts, as far as tokenisation depends on them: which of them have a stemmer, and which are written without spaces.
//!
//! A full script table is not needed. Invariant: a character has exactly one [`Script`].

use super::Language;

/// Script of a letter. Scripts without a stemmer and with spaces (Hebrew, Devanagari, ...) are `Other`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Script {
    Latin,
    Cyrillic,
    Greek,
    Arabic,
    Tamil,
    /// Han, kana, Hangul, Thai, Lao, Burmese, Khmer: indexed by character bigrams. Korean has spaces, but attaches
    /// particles to nouns, so its words are split into bigrams as well.
    Paired,
    Other,
}

impl Script {
    pub(super) const COUNT: usize = 7;

    pub(super) const ALL: [Self; Self::COUNT] =
        [Self::Latin, Self::Cyrillic, Self::Greek, Self::Arabic, Self::Tamil, Self::Paired, Self::Other];

    /// Script of `letter`; `Other` for any character outside the scripts listed here.
    pub(super) fn of(letter: char) -> Self {
        match u32::from(letter) {
            0x41..=0x5A | 0x61..=0x7A | 0xC0..=0x24F | 0x250..=0x2AF | 0x1E00..=0x1EFF => Self::Latin,
            0x370..=0x3FF | 0x1F00..=0x1FFF => Self::Greek,
            0x400..=0x52F | 0x1C80..=0x1C8F | 0x2DE0..=0x2DFF | 0xA640..=0xA69F => Self::Cyrillic,
            0x600..=0x6FF | 0x750..=0x77F | 0x870..=0x8FF => Self::Arabic,
            0xB80..=0xBFF => Self::Tamil,
            // Thai and Lao, Burmese, Hangul letters, Khmer, ideographic marks, kana, Han, Hangul syllables.
            0xE00..=0xEFF
            | 0x1000..=0x109F
            | 0x1100..=0x11FF
            | 0x1780..=0x17FF
            | 0x3005..=0x3007
            | 0x3040..=0x30FF
            | 0x3130..=0x318F
            | 0x31F0..=0x31FF
            | 0x3400..=0x4DBF
            | 0x4E00..=0x9FFF
            | 0xA960..=0xA97F
            | 0xAA60..=0xAA7F
            | 0xAC00..=0xD7FF
            | 0xF900..=0xFAFF
            | 0x20000..=0x323AF => Self::Paired,
            _ => Self::Other,
        }
    }

    /// Script of a word: that of its first letter that has one.
    pub(super) fn of_word(word: &str) -> Self {
        word.chars().map(Self::of).find(|script| *script != Self::Other).unwrap_or(Self::Other)
    }

    /// Default language of a word in this script.
    pub(super) fn default_language(self) -> Language {
        match self {
            Self::Latin => Language::English,
            Self::Cyrillic => Language::Russian,
            Self::Greek => Language::Greek,
            Self::Arabic => Language::Arabic,
            Self::Tamil => Language::Tamil,
            Self::Paired | Self::Other => Language::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_have_one_script() {
        let cases = [
            ('a', Script::Latin),
            ('ß', Script::Latin),
            ('ж', Script::Cyrillic),
            ('λ', Script::Greek),
            ('م', Script::Arabic),
            ('த', Script::Tamil),
            ('東', Script::Paired),
            ('あ', Script::Paired),
            ('한', Script::Paired),
            ('ไ', Script::Paired),
            ('ש', Script::Other),
            ('7', Script::Other),
        ];
        for (letter, script) in cases {
            assert_eq!(Script::of(letter), script, "{letter}");
        }
    }

    #[test]
    fn a_word_has_the_script_of_its_first_letter() {
        assert_eq!(Script::of_word("4ever"), Script::Latin);
        assert_eq!(Script::of_word("123"), Script::Other);
    }
}
