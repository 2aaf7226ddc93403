//! Keyphrases of a text by RAKE (Rose, Engel, Cramer and Cowley, "Automatic keyword extraction from individual
//! documents", 2010): runs of words between stop words and punctuation, scored by the sum of degree over frequency of
//! their words.
//!
//! Invariant: the result depends on the text only. The order is that of the scores, then of the text.

use std::collections::HashMap;

use unicode_segmentation::UnicodeSegmentation;

use super::Language;
use super::function_words::languages_of;
use super::segment::normalize;

/// Maximum number of words of a phrase; a longer run is a list or a heading.
const MAX_WORDS: usize = 4;
/// Part of a text that is read, in bytes.
const MAX_TEXT_BYTES: usize = 65_536;

/// The `n` best keyphrases of an English text, in lower case, best first.
pub fn keyphrases(text: &str, n: usize) -> Vec<String> {
    let text = normalize(text.get(..text.floor_char_boundary(MAX_TEXT_BYTES)).unwrap_or_default());
    let phrases = phrases(&text);
    let mut words: HashMap<&str, (usize, usize)> = HashMap::new();
    for phrase in &phrases {
        for word in phrase {
            let (frequency, degree) = words.entry(word).or_default();
            *frequency += 1;
            *degree += phrase.len();
        }
    }
    let value =
        |word: &&str| words.get(word).map_or(0.0, |(frequency, degree)| *degree as f64 / *frequency as f64);
    let mut scored: Vec<(f64, usize, String)> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for (at, phrase) in phrases.iter().enumerate() {
        let joined = phrase.join(" ");
        if seen.insert(joined.clone()) {
            scored.push((phrase.iter().map(value).sum(), at, joined));
        }
    }
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    scored.into_iter().take(n).map(|(_, _, phrase)| phrase).collect()
}

/// Runs of content words of at most [`MAX_WORDS`]; a longer run is left out.
fn phrases(text: &str) -> Vec<Vec<&str>> {
    let (mut phrases, mut run) = (Vec::new(), Vec::new());
    for piece in text.split_word_bounds() {
        let is_word = piece.chars().any(char::is_alphanumeric);
        let is_joint = piece == "-" || piece.chars().all(|c| c == ' ');
        let is_content =
            is_word && piece.chars().count() > 1 && !languages_of(piece).contains(Language::English);
        if is_content && !piece.contains('\'') {
            run.push(piece);
        } else if !is_joint {
            close(&mut run, &mut phrases);
        }
    }
    close(&mut run, &mut phrases);
    phrases
}

fn close<'a>(run: &mut Vec<&'a str>, phrases: &mut Vec<Vec<&'a str>>) {
    let closed = std::mem::take(run);
    let is_number = closed.iter().all(|word| word.chars().all(|c| c.is_numeric() || matches!(c, '.' | ',')));
    if !closed.is_empty() && closed.len() <= MAX_WORDS && !is_number {
        phrases.push(closed);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn longer_and_rarer_phrases_come_first() {
        let text = "I bought a vintage film camera in Lisbon. The film camera is from Japan, and I love it.";
        let best = keyphrases(text, 3);
        assert_eq!(best, ["vintage film camera", "film camera", "bought"]);
    }

    #[test]
    fn stop_words_and_numbers_alone_are_not_phrases() {
        assert!(keyphrases("It is what it was, and 2 of 1,000.", 5).is_empty());
        assert!(keyphrases("", 5).is_empty());
    }

    proptest! {
        #[test]
        fn keyphrases_are_bounded_and_repeatable(text in any::<String>(), n in 0_usize..8) {
            let found = keyphrases(&text, n);
            prop_assert!(found.len() <= n && found.iter().all(|phrase| !phrase.trim().is_empty()));
            prop_assert_eq!(found, keyphrases(&text, n));
        }
    }
}
