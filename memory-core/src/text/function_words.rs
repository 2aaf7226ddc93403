//! Stop words by language, and language detection by them.
//!
//! The lists are NLTK's, from Snowball (crate `stop-words`, compiled in): short lists of function words. The longer
//! Stopwords-ISO lists contain words that memories are about ("home", "interest", "number", "room"). Function words are
//! most of any sentence, so their number in each language identifies the language of a text that is too short for
//! trigram statistics. Invariant: a list is looked up in folded form ([`super::term::fold`]), as are the words of a
//! text.

use std::{collections::HashMap, sync::LazyLock};

use super::{Language, segment::normalize, term::fold};

/// Languages that have `word` (normalised, not folded) as a stop word.
pub(super) fn languages_of(word: &str) -> LanguageSet {
    let lookup = |word: &str| FUNCTION_WORDS.get(word).copied().unwrap_or_default();
    if word.is_ascii() { lookup(word) } else { lookup(&fold(word)) }
}

/// Set of languages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct LanguageSet(u32);

impl LanguageSet {
    pub(super) fn insert(&mut self, language: Language) {
        self.0 |= 1 << language.to_byte();
    }

    pub(super) fn contains(self, language: Language) -> bool {
        self.0 & (1 << language.to_byte()) != 0
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// True if every language of `other` is in this set.
    pub(super) fn contains_all(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }

    pub(super) fn iter(self) -> impl Iterator<Item = Language> {
        Language::ALL.into_iter().filter(move |language| self.contains(*language))
    }
}

impl FromIterator<Language> for LanguageSet {
    fn from_iter<I: IntoIterator<Item = Language>>(languages: I) -> Self {
        let mut set = Self::default();
        languages.into_iter().for_each(|language| set.insert(language));
        set
    }
}

/// Counter of the stop words of each language in a text.
#[derive(Debug, Default)]
pub(super) struct FunctionWordVotes([u32; Language::COUNT]);

impl FunctionWordVotes {
    pub(super) fn count(&mut self, stop_word_in: LanguageSet) {
        for language in stop_word_in.iter() {
            self.0[usize::from(language.to_byte())] += 1;
        }
    }

    /// Languages of `among` with the most votes, and their number of votes; an empty set if none has any.
    pub(super) fn winners(&self, among: LanguageSet) -> (LanguageSet, u32) {
        let votes = |language: Language| self.0[usize::from(language.to_byte())];
        let most = among.iter().map(votes).max().unwrap_or(0);
        let winners = if most == 0 {
            LanguageSet::default()
        } else {
            among.iter().filter(|language| votes(*language) == most).collect()
        };
        (winners, most)
    }
}

static FUNCTION_WORDS: LazyLock<HashMap<Box<str>, LanguageSet>> = LazyLock::new(|| {
    let mut words: HashMap<Box<str>, LanguageSet> = HashMap::new();
    for language in Language::ALL {
        for word in list(language) {
            words.entry(fold(&normalize(word)).into()).or_default().insert(language);
        }
    }
    words
});

fn list(language: Language) -> &'static [&'static str] {
    stop_words::lookup(language.code()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use xxhash_rust::xxh3::Xxh3;

    use super::*;

    #[test]
    fn a_stop_word_has_its_languages() {
        assert!(languages_of("the").contains(Language::English));
        assert!(!languages_of("the").contains(Language::German));
        let die = languages_of("die");
        assert!(die.contains(Language::German) && !die.contains(Language::English));
        assert!(languages_of("für").contains(Language::German));
        assert!(languages_of("home").is_empty());
    }

    #[test]
    fn all_languages_with_the_most_votes_are_returned() {
        let mut votes = FunctionWordVotes::default();
        ["was", "in", "die"].into_iter().for_each(|word| votes.count(languages_of(word)));
        let among = [Language::English, Language::German].into_iter().collect();
        assert_eq!(votes.winners(among), ([Language::German].into_iter().collect(), 3));
        votes.count(languages_of("the"));
        assert_eq!(votes.winners(among), (among, 3));
    }

    /// The lists are part of the tokenizer's identity: a failure here requires a new identity.
    #[test]
    fn the_lists_are_the_pinned_ones() {
        let mut digest = Xxh3::new();
        for language in Language::ALL {
            for word in list(language) {
                digest.update(word.as_bytes());
                digest.update(b"\n");
            }
            assert_eq!(list(language).is_empty(), language == Language::Other, "{language:?}");
        }
        assert_eq!(digest.digest(), 8_043_970_004_595_869_877);
    }
}
