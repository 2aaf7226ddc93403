//! Terms: the indexed form of a word, and its 32-bit hash.
//!
//! A word loses its possessive and its elided article, is stemmed in its language, and then loses its accents. Folding
//! is last because stemmers know the accented endings: both "préféré" and the unaccented "prefere" become `prefer`. The
//! cost is that a pair such as Spanish "año"/"ano" is one term. Invariant: the hash of a term never changes under one
//! tokenizer identity; Qdrant's sparse indices are these hashes.

use rust_stemmers::Stemmer;
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::{Language, script::Script};

/// Hash of a term: the low 32 bits of XXH3-64 of its UTF-8 bytes, seeded with [`TERM_HASH_SEED`].
///
/// The probability of a collision among 100 000 distinct terms is about 0.7 (birthday bound). Two colliding terms match
/// each other, which costs a little precision.
pub(super) fn term_hash(term: &str) -> u32 {
    #[expect(clippy::cast_possible_truncation, reason = "the low half is the hash")]
    let low = xxh3_64_with_seed(term.as_bytes(), TERM_HASH_SEED) as u32;
    low
}

/// Term of a normalised `word` in `language`; `None` if nothing of the word is left.
pub(super) fn stem_term(word: &str, language: Language) -> Option<String> {
    let bare = strip_apostrophes(word, language);
    if bare.is_empty() {
        return None;
    }
    let bare = if Script::of_word(&bare) == Script::Cyrillic { bare.replace('ё', "е") } else { bare };
    let stemmed = match language.stemmer() {
        // Snowball's loops are not made for very long words, which are not words of any language either.
        Some(algorithm) if bare.len() <= MAX_STEMMED_BYTES => {
            Stemmer::create(algorithm).stem(&bare).into_owned()
        }
        _ => bare,
    };
    let term = fold(&stemmed);
    if term.is_empty() { None } else { Some(term) }
}

/// `word` without accents, with one sigma, and with the Latin letters that do not decompose spelt out.
///
/// Marks are dropped from Latin and Greek letters only: in other scripts they are letters of their own.
pub(super) fn fold(word: &str) -> String {
    if word.is_ascii() {
        return word.to_owned();
    }
    let mut folded = String::with_capacity(word.len());
    let mut marks_are_accents = false;
    for c in word.nfd() {
        if is_combining_mark(c) {
            if !marks_are_accents {
                folded.push(c);
            }
            continue;
        }
        marks_are_accents = matches!(Script::of(c), Script::Latin | Script::Greek);
        match c {
            'ς' => folded.push('σ'),
            'ß' => folded.push_str("ss"),
            'æ' => folded.push_str("ae"),
            'œ' => folded.push_str("oe"),
            'ø' => folded.push('o'),
            'ł' => folded.push('l'),
            'đ' | 'ð' => folded.push('d'),
            'þ' => folded.push_str("th"),
            'ı' => folded.push('i'),
            _ => folded.push(c),
        }
    }
    if marks_are_accents { folded } else { folded.nfc().collect() }
}

/// "engrain1" in ASCII. The value is arbitrary.
const TERM_HASH_SEED: u64 = 0x656e_6772_6169_6e31;

const MAX_STEMMED_BYTES: usize = 128;

/// Articles and pronouns that French and Italian elide before the next word.
const FRENCH_ELISIONS: [&str; 13] =
    ["l", "d", "j", "m", "t", "s", "n", "c", "qu", "jusqu", "lorsqu", "puisqu", "quoiqu"];
const ITALIAN_ELISIONS: [&str; 19] = [
    "l", "d", "c", "m", "t", "s", "v", "un", "gl", "dell", "all", "dall", "nell", "sull", "coll", "quell",
    "quest", "bell", "dov",
];

/// English enclitics; without removing them, "I'm" would not match the "I" of "who am I".
const ENGLISH_CLITICS: [&str; 5] = ["m", "re", "ve", "ll", "d"];

/// `word` without possessive ("alice's"), elided article ("l'homme") and any apostrophe left ("don't").
fn strip_apostrophes(word: &str, language: Language) -> String {
    if !word.contains('\'') {
        return word.to_owned();
    }
    let word = word.trim_matches('\'');
    let word = word.strip_suffix("'s").unwrap_or(word);
    let word = match (language, word.split_once('\'')) {
        (Language::French, Some((article, rest))) if FRENCH_ELISIONS.contains(&article) => rest,
        (Language::Italian, Some((article, rest))) if ITALIAN_ELISIONS.contains(&article) => rest,
        (Language::English, Some((rest, verb))) if ENGLISH_CLITICS.contains(&verb) => rest,
        // Turkish separates the case endings of a name: "İstanbul'da" is "in Istanbul".
        (Language::Turkish, Some((name, _))) => name,
        _ => word,
    };
    word.replace('\'', "")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn term(word: &str, language: Language) -> String {
        stem_term(word, language).unwrap_or_default()
    }

    #[test]
    fn hashes_are_pinned() {
        assert_eq!(term_hash(""), 2_519_633_638);
        assert_eq!(term_hash("memori"), 4_180_369_728);
        assert_eq!(term_hash("d8:6"), 4_165_560_613);
        assert_eq!(term_hash("東京"), 501_179_243);
    }

    #[test]
    fn a_possessive_and_its_owner_are_one_term() {
        assert_eq!(term("alice's", Language::English), term("alice", Language::English));
        assert_eq!(term("dogs'", Language::English), "dog");
        assert_eq!(term("don't", Language::English), "dont");
        assert_eq!(term("i'm", Language::English), "i");
        assert_eq!(term("o'brien", Language::English), "obrien");
    }

    #[test]
    fn an_elided_article_is_dropped_in_its_language() {
        assert_eq!(term("l'homme", Language::French), term("homme", Language::French));
        assert_eq!(term("dell'amico", Language::Italian), term("amico", Language::Italian));
        assert_eq!(term("d'angelo", Language::English), "dangelo");
        assert_eq!(term("istanbul'da", Language::Turkish), "istanbul");
    }

    #[test]
    fn accents_are_folded_after_stemming() {
        assert_eq!(term("préféré", Language::French), "prefer");
        assert_eq!(term("prefere", Language::French), "prefer");
        assert_eq!(fold("straße"), "strasse");
        assert_eq!(fold("αυτός"), "αυτοσ");
        assert_eq!(fold("мой"), "мой");
        assert_eq!(fold("हिन्दी"), "हिन्दी");
    }

    #[test]
    fn a_word_of_apostrophes_has_no_term() {
        assert_eq!(stem_term("''", Language::English), None);
    }

    /// Prefixes and suffixes for which the stemmers have rules, so that random words exercise those rules.
    const PIECES: &str = "ing ed sses ational ization ement ité issaient euse ción amente ando ções heit keit \
        ungen isch lär ß zione avano ità eau ij heid en det erne inne lla ssä jään ukse ban ként eink ului \
        escu lar den mış ım ів ость ывший ение ую ό ματα ήσουμε ουσ ال ون ات يه ها கள் ில் ிறார் து gy y yy \
        qu gl ll ø å ã ő ş ' a e i o u n s t";

    proptest! {
        /// The third-party stemmers do not panic on any word, in any language.
        #[test]
        fn no_word_makes_a_stemmer_panic(
            noise in "\\PC{0,8}",
            pieces in proptest::collection::vec(
                proptest::sample::select(PIECES.split_whitespace().collect::<Vec<_>>()), 0..6),
        ) {
            for text in [pieces.concat(), noise.clone() + &pieces.concat(), pieces.concat() + &noise] {
                let word = super::super::segment::normalize(&text);
                for language in Language::ALL {
                    if let Some(term) = stem_term(&word, language) {
                        prop_assert!(!term.is_empty());
                    }
                }
            }
        }
    }
}
