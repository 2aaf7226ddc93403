//! Language detection of a document.
//!
//! The script is decided first: Greek letters are Greek. Within a script of many languages, trigram statistics
//! (`whatlang`) decide if the text is long enough for them to be reliable; else its function words, if they are
//! unambiguous; else the most common language of the script. A wrong result costs little, because a query has the stems
//! of every language in its scope, and documents keep their stop words. Invariant: a bounded prefix decides, so that
//! cost does not grow with the document.

use unicode_segmentation::UnicodeSegmentation;
use whatlang::Lang;

use super::{
    Language,
    function_words::{FunctionWordVotes, languages_of},
    script::Script,
};

/// Main script of a document, and the language assumed for its words in that script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Detected {
    pub(super) script: Script,
    pub(super) language: Language,
}

impl Detected {
    /// Language of one word. A word in another script than the document's gets that script's default language, as for
    /// an English name in a Russian note.
    pub(super) fn language_of(self, word: &str) -> Language {
        let script = Script::of_word(word);
        if script == self.script { self.language } else { script.default_language() }
    }
}

/// Detects the language of normalised `text`.
pub(super) fn detect(text: &str) -> Detected {
    let sample = &text[..text.floor_char_boundary(MAX_SAMPLE_BYTES)];
    let (script, letters) = main_script(sample);
    let is_shared = matches!(script, Script::Latin | Script::Cyrillic | Script::Arabic);
    let language = if is_shared {
        by_trigrams(sample, script, letters)
            .or_else(|| by_function_words(sample, script))
            .unwrap_or(script.default_language())
    } else {
        script.default_language()
    };
    Detected { script, language }
}

pub(super) const MAX_SAMPLE_BYTES: usize = 2_048;

/// Minimum number of letters for trigram statistics, because `whatlang`'s reliability is trustworthy only from here on.
const MIN_LETTERS_FOR_TRIGRAMS: usize = 60;

/// Minimum number of function words. One shared word is a coincidence ("die", "in"); two, with no other language ahead,
/// are not.
const MIN_FUNCTION_WORDS: u32 = 2;

fn main_script(sample: &str) -> (Script, usize) {
    let mut letters = [0_usize; Script::COUNT];
    for c in sample.chars().filter(|c| c.is_alphabetic()) {
        letters[Script::of(c) as usize] += 1;
    }
    // The first of equals wins, so that the result does not depend on iteration order.
    let mut main = (Script::Other, 0);
    for script in Script::ALL {
        let count = letters[script as usize];
        if count > main.1 {
            main = (script, count);
        }
    }
    main
}

fn by_trigrams(sample: &str, script: Script, letters: usize) -> Option<Language> {
    if letters < MIN_LETTERS_FOR_TRIGRAMS {
        return None;
    }
    let info = whatlang::detect(sample)?;
    let language = from_whatlang(info.lang());
    (info.is_reliable() && language.can_be_written_in(script)).then_some(language)
}

fn by_function_words(sample: &str, script: Script) -> Option<Language> {
    let mut votes = FunctionWordVotes::default();
    sample.unicode_words().for_each(|word| votes.count(languages_of(word)));
    let among = Language::ALL.into_iter().filter(|language| language.script() == script).collect();
    let (winners, count) = votes.winners(among);
    let mut winners = winners.iter();
    match (winners.next(), winners.next()) {
        (Some(winner), None) if count >= MIN_FUNCTION_WORDS => Some(winner),
        _ => None,
    }
}

fn from_whatlang(lang: Lang) -> Language {
    match lang {
        Lang::Ara => Language::Arabic,
        Lang::Dan => Language::Danish,
        Lang::Nld => Language::Dutch,
        Lang::Eng => Language::English,
        Lang::Fin => Language::Finnish,
        Lang::Fra => Language::French,
        Lang::Deu => Language::German,
        Lang::Ell => Language::Greek,
        Lang::Hun => Language::Hungarian,
        Lang::Ita => Language::Italian,
        Lang::Nob => Language::Norwegian,
        Lang::Por => Language::Portuguese,
        Lang::Ron => Language::Romanian,
        Lang::Rus => Language::Russian,
        Lang::Spa => Language::Spanish,
        Lang::Swe => Language::Swedish,
        Lang::Tam => Language::Tamil,
        Lang::Tur => Language::Turkish,
        _ => Language::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn language(text: &str) -> Language {
        detect(&super::super::segment::normalize(text)).language
    }

    #[test]
    fn a_script_of_one_language_determines_the_language() {
        assert_eq!(language("Ευχαριστώ"), Language::Greek);
        assert_eq!(language("спасибо"), Language::Russian);
        assert_eq!(language("東京に行きました"), Language::Other);
    }

    #[test]
    fn function_words_determine_the_language_of_short_texts() {
        assert_eq!(language("Ich habe meinen Hund zum Tierarzt gebracht"), Language::German);
        assert_eq!(language("Mi hermana vive en Sevilla con sus hijos"), Language::Spanish);
        assert_eq!(language("Elle habite dans une maison"), Language::French);
    }

    #[test]
    fn latin_script_defaults_to_english() {
        assert_eq!(language("Sushi Osaka"), Language::English);
        assert_eq!(language("I was in Die Hard"), Language::English);
    }

    #[test]
    fn a_long_text_in_a_language_without_stemmer_is_not_english() {
        let polish = "Wczoraj poszliśmy z dziećmi do parku, gdzie spotkaliśmy naszych sąsiadów i rozmawialiśmy \
                      o wakacjach nad morzem.";
        assert_eq!(language(polish), Language::Other);
    }

    #[test]
    fn a_word_in_another_script_has_its_own_language() {
        let detected = detect("вчера я говорил с alice о работе");
        assert_eq!(detected.language_of("alice"), Language::English);
        assert_eq!(detected.language_of("работе"), Language::Russian);
    }
}
