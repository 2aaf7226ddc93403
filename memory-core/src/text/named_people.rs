//! People that a text names, pure: a person is named by the first word of the name that tells people apart.
//!
//! Articles and titles tell nobody apart: every question has "the", and naming "The Boss" takes "boss". A name that is
//! a function word throughout, such as "Will", is named only where the text writes it with a capital letter within a
//! sentence.

use std::cell::OnceCell;
use std::collections::HashSet;

use super::Language;
use super::detect::{MAX_SAMPLE_BYTES, detect};
use super::function_words::languages_of;

/// Titles before names, in lower case.
const TITLES: [&str; 16] = [
    "mr", "mrs", "ms", "miss", "mx", "dr", "prof", "sir", "madam", "lady", "lord", "herr", "frau",
    "monsieur", "madame", "señor",
];

/// Words of a text by which it can name people.
#[derive(Debug)]
pub(crate) struct NamedPeople {
    /// All words, in lower case.
    words: HashSet<String>,
    /// Words with a capital letter that do not begin a sentence, in lower case.
    capitalised: HashSet<String>,
    /// Beginning of the text, whose language is detected only where a name needs it.
    sample: String,
    language: OnceCell<Language>,
}

impl NamedPeople {
    /// Reads a text.
    pub(crate) fn in_text(text: &str) -> Self {
        let mut capitalised = HashSet::new();
        for sentence in text.split(['.', '?', '!', '\n']) {
            for word in words(sentence).skip(1) {
                if word.chars().next().is_some_and(char::is_uppercase) {
                    capitalised.insert(word.to_lowercase());
                }
            }
        }
        let words = words(text).map(str::to_lowercase).collect();
        let sample = text[..text.floor_char_boundary(MAX_SAMPLE_BYTES)].to_owned();
        Self { words, capitalised, sample, language: OnceCell::new() }
    }

    /// True if the text names this person: "What did Ann say?" names Ann Lee.
    pub(crate) fn has(&self, name: &str) -> bool {
        let of_name = || words(name).map(str::to_lowercase).filter(|word| !TITLES.contains(&word.as_str()));
        match of_name().find(|word| !self.is_function_word(word)) {
            Some(word) => self.words.contains(&word),
            None => of_name().next().is_some_and(|word| self.capitalised.contains(&word)),
        }
    }

    fn is_function_word(&self, word: &str) -> bool {
        let languages = languages_of(word);
        let own = || *self.language.get_or_init(|| detect(&self.sample).language);
        languages.contains(Language::English) || (!languages.is_empty() && languages.contains(own()))
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str, name: &str) -> bool {
        NamedPeople::in_text(text).has(name)
    }

    #[test]
    fn a_person_is_named_by_the_first_word_of_the_name() {
        assert!(names("What did Ann say about tea?", "Ann Lee"));
        assert!(names("what did ann say?", "Ann"));
        assert!(!names("What did Lee say?", "Ann Lee"));
        assert!(!names("What did Annabel say?", "Ann Lee"));
        assert!(names("Was hat Jürgen gesagt?", "Jürgen"));
        assert!(!names("", "Ann"));
        assert!(!names("Ann", ""));
    }

    #[test]
    fn an_article_or_a_title_names_nobody() {
        assert!(!names("What is the name of the dog?", "The Boss"));
        assert!(names("What did the boss say?", "The Boss"));
        assert!(!names("Did Mr Brown call?", "Mr Lee"));
        assert!(names("Did Mr Lee call?", "Mr. Lee"));
        assert!(!names("Was sagt der Hund, und wo ist er?", "Der Chef"));
    }

    #[test]
    fn a_name_that_is_a_function_word_counts_with_a_capital_letter_within_a_sentence() {
        assert!(names("What did Will say?", "Will"));
        assert!(!names("Will it rain? What will I do?", "Will"));
        assert!(!names("it rained. Will it stop", "Will"));
    }
}
