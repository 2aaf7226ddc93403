//! Entity keys: the normal form of a name or noun phrase, by which statements about one entity are found together.
//!
//! "Ann's", "the  Müllers" and "ANN" are written differently in one conversation; a key removes what does not tell entities
//! apart: form and case of letters, white space, punctuation at the ends, leading articles and possessive determiners, a
//! possessive ending. Two entities may share a key ("El Paso" and "Paso"): a key proposes statements to compare and never
//! decides that they are of one entity. Invariant: the key of a key is itself.

use unicode_normalization::UnicodeNormalization;

use super::segment::normalize;

/// Leading words that are not part of a name, in normal form: articles of six languages and possessive determiners of
/// English and German.
const LEADING_WORDS: [&str; 42] = [
    "a", "an", "the", "my", "your", "his", "her", "its", "our", "their", "der", "die", "das", "den", "dem",
    "ein", "eine", "einen", "mein", "meine", "dein", "deine", "sein", "seine", "ihr", "ihre", "unser",
    "unsere", "le", "la", "les", "un", "une", "el", "los", "las", "una", "il", "lo", "gli", "o", "os",
];
/// Ending of a possessive; that of a plural is the apostrophe alone, which is a mark.
const POSSESSIVE_ENDING: &str = "'s";
/// Quotation marks, brackets and the punctuation of sentences.
const MARKS: &str = "\"'«»„“”‚‹›()[]{}<>.,;:!?…¿¡、。 ";

/// The key of an entity's name; empty only if the name is nothing but white space.
pub(crate) fn entity_key(name: &str) -> String {
    // Lower case can undo the compatibility form: both are made twice.
    let folded: String = normalize(&normalize(name)).nfkc().collect();
    let folded = folded.replace('ß', "ss").replace('ς', "σ");
    let joined = folded.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut key = joined.as_str();
    loop {
        let shorter = without_possessive(without_leading_word(without_marks(key)));
        if shorter.len() == key.len() {
            return key.to_owned();
        }
        key = shorter;
    }
}

/// Without marks at both ends, as long as something is left.
fn without_marks(key: &str) -> &str {
    let trimmed = key.trim_matches(|letter| MARKS.contains(letter));
    if trimmed.is_empty() { key.trim_matches(' ') } else { trimmed }
}

/// Without an article or a determiner before another word.
fn without_leading_word(key: &str) -> &str {
    match key.split_once(' ') {
        Some((first, rest)) if LEADING_WORDS.contains(&first) => rest,
        _ => key,
    }
}

fn without_possessive(key: &str) -> &str {
    key.strip_suffix(POSSESSIVE_ENDING).filter(|stem| !stem.is_empty()).unwrap_or(key)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spellings_of_one_entity_have_one_key() {
        for (name, key) in [
            ("Ann", "ann"),
            ("  ANN\t Smith\n", "ann smith"),
            ("The  Eiffel Tower", "eiffel tower"),
            ("my sister", "sister"),
            ("her older sister's", "older sister"),
            ("Anna\u{2019}s", "anna"),
            ("the Millers'", "millers"),
            ("“Biscuit”,", "biscuit"),
            ("the 'Green Door'.", "green door"),
            ("Ａｎｎ", "ann"),
            ("Straße", "strasse"),
            ("STRASSE", "strasse"),
            ("die Großmutter", "grossmutter"),
            ("Ὀδυσσεύς", "ὀδυσσεύσ"),
            ("die Die", "die"),
        ] {
            assert_eq!(entity_key(name), key, "{name:?}");
        }
    }

    #[test]
    fn what_tells_entities_apart_stays() {
        for (name, key) in [
            ("Anna's dog", "anna's dog"),
            ("C++", "c++"),
            ("C#", "c#"),
            ("The", "the"),
            ("a", "a"),
            ("東京", "東京"),
            ("?", "?"),
            ("the \" 's", "\""),
            ("👩", "👩"),
            ("", ""),
            (" \n", ""),
        ] {
            assert_eq!(entity_key(name), key, "{name:?}");
        }
    }

    proptest! {
        #[test]
        fn the_key_of_a_key_is_itself(
            name in prop_oneof!["\\PC{0,12}", "([tT]he |my |[\"'.,]{1,2} ?|[a-zäß]{1,4}|'s| s'){0,8}"],
        ) {
            let key = entity_key(&name);
            prop_assert_eq!(entity_key(&key), key.clone(), "{:?}", name);
            prop_assert_eq!(key.split_whitespace().collect::<Vec<_>>().join(" "), key);
        }
    }
}
