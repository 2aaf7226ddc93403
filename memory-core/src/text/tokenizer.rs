//! Tokenizer: maps documents and queries to term hashes, by one set of rules.
//!
//! A document keeps its stop words, so that "who am I" matches "I am Ann"; a query drops them unless it has nothing
//! else. The stop words are those of the query's language, which its function words identify: "war" is dropped from a
//! German query and kept in an English one. Invariant: whenever the output for any text could change, so does
//! [`Tokenizer::IDENTITY`], because stored vectors would no longer match.

use std::collections::HashSet;

use super::{
    Language, QueryTerms, TermVector,
    detect::{Detected, detect},
    function_words::{FunctionWordVotes, LanguageSet, languages_of},
    script::Script,
    segment::{Token, for_each_token, normalize},
    term::{stem_term, term_hash},
};

/// Tokenizer of documents and queries. Stateless, and free to construct.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tokenizer;

impl Tokenizer {
    /// Identity of the rules; vectors of one identity match each other, and no others.
    pub const IDENTITY: &'static str = "engrain-words-1";

    /// Terms of a document. Time and memory are linear in `text`.
    pub fn document(&self, text: &str) -> TermVector {
        let mut hashes = Vec::with_capacity(text.len() / 6);
        let language = for_each_term(text, |term| hashes.push(term_hash(term)));
        TermVector::from_hashes(hashes, language).asking(ends_with_question(text))
    }

    /// Terms of a query to a scope that contains documents in `languages`.
    ///
    /// Stop words are dropped, unless the query has nothing else. Without `languages`, each word is stemmed in the
    /// default language of its script.
    pub fn query(&self, text: &str, languages: &[Language]) -> QueryTerms {
        let scope: LanguageSet = languages.iter().copied().collect();
        let normalized = normalize(text);
        let mut votes = FunctionWordVotes::default();
        let mut stop_words_in: Vec<LanguageSet> = Vec::new();
        for_each_token(&normalized, |token| {
            let stop_word_in = match token {
                Token::Verbatim(_) => LanguageSet::default(),
                Token::Word(word) => languages_of(word),
            };
            votes.count(stop_word_in);
            stop_words_in.push(stop_word_in);
        });
        let possible = with_defaults(scope);
        let (language, _) = votes.winners(possible);
        let is_stop_word =
            |stop_word_in: LanguageSet| !language.is_empty() && stop_word_in.contains_all(language);
        let only_stop_words = stop_words_in.iter().all(|stop_word_in| is_stop_word(*stop_word_in));
        // A word is stemmed in many languages, which takes most of the time: once, and none that is dropped.
        let (mut known, mut query_words) = (HashSet::new(), Vec::new());
        let mut stop_words_in = stop_words_in.into_iter();
        for_each_token(&normalized, |token| {
            let stop_word_in = stop_words_in.next().unwrap_or_default();
            let is_asked = only_stop_words || !is_stop_word(stop_word_in);
            let (Token::Verbatim(term) | Token::Word(term)) = token;
            if !is_asked
                || known.len() >= MAX_DISTINCT_WORDS
                || !known.insert((matches!(token, Token::Word(_)), term.to_owned()))
            {
                return;
            }
            query_words.push(match token {
                Token::Verbatim(term) => vec![term_hash(term)],
                Token::Word(word) => alternatives(word, scope),
            });
        });
        QueryTerms::from_words(query_words)
    }

    /// Terms of a document in the order of the text, before hashing: for diagnosis and tests.
    pub fn terms(&self, text: &str) -> (Language, Vec<String>) {
        let mut terms = Vec::new();
        let language = for_each_term(text, |term| terms.push(term.to_owned()));
        (language, terms)
    }
}

/// Maximum number of distinct words of a query that are stemmed. Several of them may be one word of [`QueryTerms`], which has a
/// lower maximum.
const MAX_DISTINCT_WORDS: usize = 4 * QueryTerms::MAX_WORDS;

/// True if a question mark is so near the end that hardly any text follows it ("right? :)").
fn ends_with_question(text: &str) -> bool {
    const LETTERS_AFTER: usize = 40;
    text.chars().rev().take(LETTERS_AFTER).any(|letter| matches!(letter, '?' | '？' | '؟'))
}

fn for_each_term(text: &str, mut emit: impl FnMut(&str)) -> Language {
    let normalized = normalize(text);
    let detected: Detected = detect(&normalized);
    for_each_token(&normalized, |token| match token {
        Token::Verbatim(term) => emit(term),
        Token::Word(word) => {
            if let Some(term) = stem_term(word, detected.language_of(word)) {
                emit(&term);
            }
        }
    });
    detected.language
}

/// Stems of `word` in every language in which a document of the scope may have stemmed it.
fn alternatives(word: &str, scope: LanguageSet) -> Vec<u32> {
    let script = Script::of_word(word);
    let mut languages = scope;
    // A word in a script other than its document's is stemmed in the default language of that script.
    languages.insert(script.default_language());
    let stems = languages.iter().filter(|language| language.can_be_written_in(script));
    stems.filter_map(|language| stem_term(word, language)).map(|term| term_hash(&term)).collect()
}

/// Languages that a query may be in: those of the scope, and the default ones.
fn with_defaults(mut scope: LanguageSet) -> LanguageSet {
    Script::ALL.into_iter().for_each(|script| scope.insert(script.default_language()));
    scope
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENGLISH: &[Language] = &[Language::English];

    fn hash_of(term: &str) -> u32 {
        term_hash(term)
    }

    fn is_asked(query: &QueryTerms, term: &str) -> bool {
        query.words().iter().any(|word| word.alternatives().contains(&hash_of(term)))
    }

    #[test]
    fn a_query_drops_its_stop_words() {
        let query = Tokenizer.query("What did Alice's dogs eat in Paris?", ENGLISH);
        for term in ["alic", "dog", "eat", "pari"] {
            assert!(is_asked(&query, term), "{term}");
        }
        assert_eq!(query.words().len(), 4);
    }

    #[test]
    fn a_document_may_end_with_a_question() {
        let ends_with_question = |text: &str| Tokenizer.document(text).ends_with_question();
        assert!(
            ends_with_question("I moved. And you?")
                && ends_with_question("你好吗？")
                && ends_with_question("Really? :)")
        );
        assert!(
            !ends_with_question("Is it? I have been told so, again and again, by everybody here.")
                && !ends_with_question("")
        );
    }

    #[test]
    fn a_query_of_stop_words_keeps_them_and_matches() {
        let query = Tokenizer.query("Who am I?", ENGLISH);
        assert_eq!(query.words().len(), 3);
        let answer = Tokenizer.document("I am Ann.");
        assert!(answer.terms().iter().any(|term| term.hash == hash_of("am")));
    }

    #[test]
    fn a_query_has_the_stems_of_every_language_of_the_scope() {
        let query = Tokenizer.query("Häuser", &[Language::English, Language::German, Language::Russian]);
        let [word] = query.words() else { panic!("one word") };
        assert_eq!(word.alternatives().len(), 2);
        let german = Tokenizer.document("Wir haben die alten Häuser in der Stadt nicht mehr gesehen.");
        assert_eq!(german.language(), Language::German);
        assert!(german.terms().iter().any(|term| word.alternatives().contains(&term.hash)));
    }

    #[test]
    fn stop_words_are_those_of_the_querys_language() {
        let both = [Language::English, Language::German];
        let english = Tokenizer.query("which war did my grandfather fight in", &both);
        assert!(is_asked(&english, "war"));
        let german = Tokenizer.query("wann war mein Großvater in der Stadt", &both);
        assert!(!is_asked(&german, "war"));
        assert!(is_asked(&german, "stadt"));
    }

    #[test]
    fn a_name_in_a_text_of_another_language_is_found() {
        let document = Tokenizer.document("Вчера мы с meetings говорили");
        let query = Tokenizer.query("meetings", &[Language::Russian]);
        assert!(is_asked(&query, "meet"));
        assert!(document.terms().iter().any(|term| term.hash == hash_of("meet")));
    }

    #[test]
    fn the_words_of_a_long_query_are_stemmed_once() {
        let once = Tokenizer.query("the dogs of Paris", ENGLISH);
        assert_eq!(Tokenizer.query(&"the dogs of Paris ".repeat(1_000), ENGLISH), once);
        let distinct: String = (0..4_000).map(|number| format!("w{number} ")).collect();
        assert_eq!(Tokenizer.query(&distinct, ENGLISH).words().len(), QueryTerms::MAX_WORDS);
    }

    #[test]
    fn an_empty_query_has_no_terms() {
        assert!(Tokenizer.query(" ?! ", ENGLISH).is_empty());
        assert!(Tokenizer.document("…").is_empty());
    }
}
