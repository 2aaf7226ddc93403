//! Loop guard: what was recalled into a prompt is not extracted again as new.
//!
//! Without it a memory that is recalled, repeated by the assistant and extracted again multiplies: one store had the same
//! hallucination 668 times (mem0ai/mem0#4573).

use std::collections::HashSet;
use std::ops::Range;

use crate::domain::turn::Role;
use crate::think::candidate::{CandidateFact, SourceTurn};

use super::normal::{content_terms, jaccard, words};

/// Number of words in sequence from which a repetition of a recalled text is an echo.
pub const ECHO_WORDS: usize = 8;
/// Number of words from which a recalled text that is repeated whole is an echo.
const WHOLE_TEXT_WORDS: usize = 4;
/// Overlap of content terms from which a sentence of the assistant is a paraphrase of a recalled text.
const PARAPHRASE_OVERLAP: f64 = 0.8;
/// Recalled texts that are compared with one turn; the rest is ignored.
const MAX_RECALLED: usize = 256;
/// Words of one text that are compared; the rest is ignored.
const MAX_WORDS: usize = 65_536;
/// Share of a candidate's content terms that must stand outside the echoes, if it names no object.
const NEW_TERMS: f64 = 0.5;

/// Byte ranges of a turn that repeat recalled texts, in order and without overlaps: at least [`ECHO_WORDS`] words in
/// sequence, or a whole recalled text of at least 4 words. Case, punctuation and white space do not count. Linear in the
/// lengths of the texts.
pub fn echoed_spans(turn_text: &str, recalled_texts: &[String]) -> Vec<Range<usize>> {
    let words = words(turn_text);
    let keys: Vec<&str> = words.iter().take(MAX_WORDS).map(|(word, _)| word.as_str()).collect();
    let recalled: Vec<Vec<String>> =
        recalled_texts.iter().take(MAX_RECALLED).map(|text| keys_of(text)).collect();
    let recalled: Vec<Vec<&str>> =
        recalled.iter().map(|text| text.iter().map(String::as_str).collect()).collect();
    let mut windows: HashSet<&[&str]> = HashSet::new();
    for text in &recalled {
        if (WHOLE_TEXT_WORDS..ECHO_WORDS).contains(&text.len()) {
            windows.insert(text);
        }
        windows.extend(text.windows(ECHO_WORDS));
    }
    let mut spans: Vec<(Range<usize>, usize)> = Vec::new();
    for at in 0..keys.len() {
        let lengths = (WHOLE_TEXT_WORDS..=ECHO_WORDS).rev();
        let longest =
            lengths.filter_map(|length| keys.get(at..at + length)).find(|window| windows.contains(window));
        let Some(window) = longest else { continue };
        let end = at + window.len();
        let (Some((_, first)), Some((_, last))) = (words.get(at), words.get(end - 1)) else { continue };
        match spans.last_mut() {
            // Adjacent echoes are one span.
            Some((span, before)) if at <= *before => {
                span.end = span.end.max(last.end);
                *before = end.max(*before);
            }
            _ => spans.push((first.start..last.end, end)),
        }
    }
    spans.into_iter().map(|(span, _)| span).collect()
}

fn keys_of(text: &str) -> Vec<String> {
    words(text).into_iter().take(MAX_WORDS).map(|(word, _)| word).collect()
}

/// Echoes in one turn.
#[derive(Debug)]
pub(super) struct Echoes {
    outside: HashSet<String>,
    has_spans: bool,
    /// Content terms of the recalled texts, for turns of the assistant.
    paraphrased: Vec<Vec<String>>,
}

impl Echoes {
    /// Echoes of recalled texts in a turn. A user may say a short sentence again, and means it: in a turn of the user only
    /// spans of at least [`ECHO_WORDS`] words are echoes.
    pub(super) fn of(turn: &SourceTurn, recalled: &[String]) -> Self {
        let is_assistant = turn.role == Role::Assistant;
        let mut spans = echoed_spans(&turn.text, recalled);
        let is_long = |span: &Range<usize>| {
            turn.text.get(span.clone()).is_some_and(|text| words(text).len() >= ECHO_WORDS)
        };
        spans.retain(|span| is_assistant || is_long(span));
        let mut outside = String::with_capacity(turn.text.len());
        let mut at = 0;
        for span in &spans {
            outside.push_str(turn.text.get(at..span.start).unwrap_or_default());
            outside.push(' ');
            at = span.end;
        }
        outside.push_str(turn.text.get(at..).unwrap_or_default());
        let recalled = recalled.iter().take(if is_assistant { MAX_RECALLED } else { 0 });
        Self {
            outside: content_terms(&outside).into_iter().collect(),
            has_spans: !spans.is_empty(),
            paraphrased: recalled.map(|text| content_terms(text)).collect(),
        }
    }

    /// True if all that the turn says in support of a candidate lies inside its echoes.
    pub(super) fn hold(&self, candidate: &CandidateFact) -> bool {
        let terms = content_terms(&candidate.text);
        if self.paraphrased.iter().any(|recalled| jaccard(recalled, &terms) >= PARAPHRASE_OVERLAP) {
            return true;
        }
        let object = candidate.statement.object.as_ref().map(|object| content_terms(object.as_str()));
        match object.filter(|object| !object.is_empty()) {
            _ if !self.has_spans => false,
            Some(object) => !object.iter().any(|term| self.outside.contains(term)),
            None => {
                let outside: Vec<String> =
                    terms.iter().filter(|term| self.outside.contains(*term)).cloned().collect();
                jaccard(&outside, &terms) < NEW_TERMS
            }
        }
    }
}

/// True if a sentence paraphrases another by the overlap of content terms.
pub(super) fn is_paraphrase(one: &[String], other: &[String]) -> bool {
    jaccard(one, other) >= PARAPHRASE_OVERLAP
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn echoed(turn: &str, recalled: &[&str]) -> Vec<String> {
        let recalled: Vec<String> = recalled.iter().map(|text| (*text).to_owned()).collect();
        echoed_spans(turn, &recalled).into_iter().map(|span| turn[span].to_owned()).collect()
    }

    #[test]
    fn long_repetitions_and_whole_texts_are_echoes() {
        let memory = "Ann moved to Rome in May 2021 with her two cats and a dog";
        assert_eq!(
            echoed("As I recall, Ann moved to  ROME in May 2021, with her sister.", &[memory]),
            ["Ann moved to  ROME in May 2021, with her"]
        );
        assert_eq!(echoed("So: ann lives in rome! Nice.", &["Ann lives in Rome."]), ["ann lives in rome"]);
        assert_eq!(echoed("Ann moved to Rome in 2021", &[memory]), Vec::<String>::new());
        assert_eq!(echoed("in Rome", &["in Rome"]), Vec::<String>::new());
        assert_eq!(echoed("", &[""]), Vec::<String>::new());
    }

    proptest! {
        #[test]
        fn spans_are_ordered_disjoint_and_at_character_boundaries(
            turn in "[ab é.]{0,80}", recalled in proptest::collection::vec("[ab é.]{0,40}", 0..4)
        ) {
            let spans = echoed_spans(&turn, &recalled);
            for span in &spans {
                prop_assert!(turn.get(span.clone()).is_some_and(|text| !text.is_empty()));
            }
            prop_assert!(spans.windows(2).all(|pair| pair[0].end <= pair[1].start));
        }

        #[test]
        fn a_text_of_four_words_is_an_echo_of_itself(text in "[a-z]{1,6}( [a-z]{1,6}){3,30}") {
            let around = format!("Well, {text}, so.");
            let spans = echoed_spans(&around, std::slice::from_ref(&text));
            prop_assert!(spans.iter().any(|span| around[span.clone()].contains(&text)), "{spans:?}");
        }
    }
}
