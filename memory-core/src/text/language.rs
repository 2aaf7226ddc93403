//! Languages with a stemmer.
//!
//! These are the Snowball algorithms of `rust-stemmers`; every other language is [`Language::Other`], whose words are
//! not stemmed. Invariant: the byte of a language never changes, because it is stored in encoded term vectors.

use rust_stemmers::Algorithm;

use super::script::Script;

/// Language with a stemmer, or `Other`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[expect(missing_docs, reason = "a language is its own name")]
pub enum Language {
    /// Any language without a stemmer here (Polish, Hindi, Chinese, ...): words are not stemmed.
    Other = 0,
    Arabic = 1,
    Danish = 2,
    Dutch = 3,
    English = 4,
    Finnish = 5,
    French = 6,
    German = 7,
    Greek = 8,
    Hungarian = 9,
    Italian = 10,
    Norwegian = 11,
    Portuguese = 12,
    Romanian = 13,
    Russian = 14,
    Spanish = 15,
    Swedish = 16,
    Tamil = 17,
    Turkish = 18,
}

/// Properties of a language: ISO 639-1 code, script and stemmer.
struct Traits {
    code: &'static str,
    script: Script,
    stemmer: Option<Algorithm>,
}

impl Language {
    /// Number of languages, `Other` included; their bytes are `0..COUNT`.
    pub const COUNT: usize = 19;

    /// All languages, in the order of their bytes.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Other,
        Self::Arabic,
        Self::Danish,
        Self::Dutch,
        Self::English,
        Self::Finnish,
        Self::French,
        Self::German,
        Self::Greek,
        Self::Hungarian,
        Self::Italian,
        Self::Norwegian,
        Self::Portuguese,
        Self::Romanian,
        Self::Russian,
        Self::Spanish,
        Self::Swedish,
        Self::Tamil,
        Self::Turkish,
    ];

    /// Byte of the language in encoded form.
    pub fn to_byte(self) -> u8 {
        self as u8
    }

    /// Language with this byte.
    pub fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.get(usize::from(byte)).copied()
    }

    /// ISO 639-1 code; `und` (undetermined, ISO 639-2) for `Other`.
    pub fn code(self) -> &'static str {
        self.traits().code
    }

    /// Script of the language; `Script::Other` if it may be any.
    pub(super) fn script(self) -> Script {
        self.traits().script
    }

    /// Snowball algorithm of the language.
    pub(super) fn stemmer(self) -> Option<Algorithm> {
        self.traits().stemmer
    }

    /// True if a word in `script` can be a word of this language.
    pub(super) fn can_be_written_in(self, script: Script) -> bool {
        self == Self::Other || self.script() == script
    }

    fn traits(self) -> Traits {
        let (code, script, stemmer) = match self {
            Self::Other => ("und", Script::Other, None),
            Self::Arabic => ("ar", Script::Arabic, Some(Algorithm::Arabic)),
            Self::Danish => ("da", Script::Latin, Some(Algorithm::Danish)),
            Self::Dutch => ("nl", Script::Latin, Some(Algorithm::Dutch)),
            Self::English => ("en", Script::Latin, Some(Algorithm::English)),
            Self::Finnish => ("fi", Script::Latin, Some(Algorithm::Finnish)),
            Self::French => ("fr", Script::Latin, Some(Algorithm::French)),
            Self::German => ("de", Script::Latin, Some(Algorithm::German)),
            Self::Greek => ("el", Script::Greek, Some(Algorithm::Greek)),
            Self::Hungarian => ("hu", Script::Latin, Some(Algorithm::Hungarian)),
            Self::Italian => ("it", Script::Latin, Some(Algorithm::Italian)),
            Self::Norwegian => ("no", Script::Latin, Some(Algorithm::Norwegian)),
            Self::Portuguese => ("pt", Script::Latin, Some(Algorithm::Portuguese)),
            Self::Romanian => ("ro", Script::Latin, Some(Algorithm::Romanian)),
            Self::Russian => ("ru", Script::Cyrillic, Some(Algorithm::Russian)),
            Self::Spanish => ("es", Script::Latin, Some(Algorithm::Spanish)),
            Self::Swedish => ("sv", Script::Latin, Some(Algorithm::Swedish)),
            Self::Tamil => ("ta", Script::Tamil, Some(Algorithm::Tamil)),
            Self::Turkish => ("tr", Script::Latin, Some(Algorithm::Turkish)),
        };
        Traits { code, script, stemmer }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_positions_and_decode_to_the_same_language() {
        for (position, language) in Language::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(language.to_byte()), position);
            assert_eq!(Language::from_byte(language.to_byte()), Some(language));
        }
        assert_eq!(Language::from_byte(19), None);
    }
}
