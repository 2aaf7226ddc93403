//! Sentences of prose, and those in which the speaker states something in the first person.
//!
//! Fenced code and quoted lines are not the speaker's words and are left out. A sentence ends at a line break at the
//! latest. Boundaries are those of UAX #29, except after common abbreviations. Invariant: spans ascend, do not overlap
//! and lie at character boundaries.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

/// Maximum number of first-person sentences of one text.
pub const MAX_FIRST_PERSON_SENTENCES: usize = 12;
/// Length of a sentence that can be a statement, in bytes: a shorter one has no content, a longer one is pasted text.
pub const STATEMENT_BYTES: std::ops::RangeInclusive<usize> = 12..=400;

/// Abbreviations that end with a full stop inside a sentence, in lower case.
const ABBREVIATIONS: &[&str] = &[
    "mr.", "mrs.", "ms.", "dr.", "st.", "prof.", "jr.", "sr.", "vs.", "e.g.", "i.e.", "mt.", "no.", "approx.",
];
/// First words of a sentence that is a question or a hypothesis.
const NO_STATEMENT: &[&str] = &[
    "if", "suppose", "imagine", "pretend", "would", "could", "should", "can", "do", "does", "did", "is",
    "are", "was", "were", "what", "how", "why", "where", "when", "who", "which", "will", "shall", "may",
];
/// Words of the first person, in lower case.
const FIRST_PERSON: &[&str] = &["i", "my", "we", "our", "me", "mine"];

/// Spans of the sentences of a text, without white space and list marks around them.
pub fn sentences(text: &str) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    let (mut at, mut is_code) = (0, false);
    for line in text.split_inclusive(['\n', '\r']) {
        let (start, content) = (at, line.trim());
        at += line.len();
        if content.starts_with("```") || content.starts_with("~~~") {
            is_code = !is_code;
        } else if !is_code && !content.starts_with('>') {
            line_sentences(line, start, &mut spans);
        }
    }
    spans
}

fn line_sentences(line: &str, offset: usize, spans: &mut Vec<Range<usize>>) {
    let mut open: Option<usize> = None;
    for (at, piece) in line.split_sentence_bound_indices() {
        let start = *open.get_or_insert(at);
        let end = at + piece.len();
        if ends_with_abbreviation(piece) && end < line.len() {
            continue;
        }
        open = None;
        if let Some(span) = line.get(start..end).and_then(trimmed) {
            spans.push(offset + start + span.start..offset + start + span.end);
        }
    }
}

fn ends_with_abbreviation(piece: &str) -> bool {
    let last = piece.split_whitespace().next_back().unwrap_or_default();
    last.len() <= 8 && ABBREVIATIONS.contains(&last.to_ascii_lowercase().as_str())
}

/// Span of a sentence without white space and list marks.
fn trimmed(sentence: &str) -> Option<Range<usize>> {
    let body = sentence.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '-' | '*' | '•' | '#'));
    let start = sentence.len() - body.len();
    let body = body.trim_end();
    (!body.is_empty()).then(|| start..start + body.len())
}

/// True for a sentence, not a question or hypothesis, with a word of the first person.
pub fn is_first_person_statement(sentence: &str) -> bool {
    let mut words = sentence.unicode_words().map(|word| {
        let end = word.find(['\'', '\u{2019}']).unwrap_or(word.len());
        word.get(..end).unwrap_or_default().to_lowercase()
    });
    let Some(first) = words.next() else { return false };
    let is_asked = sentence.trim_end_matches(['"', ')', ' ', '!']).ends_with('?');
    let is_open = NO_STATEMENT.contains(&first.as_str());
    let is_first_person = |word: &str| FIRST_PERSON.contains(&word);
    !is_asked && !is_open && (is_first_person(&first) || words.any(|word| is_first_person(&word)))
}

/// Spans of the first-person statements of a text of [`STATEMENT_BYTES`]: the first [`MAX_FIRST_PERSON_SENTENCES`].
pub fn first_person_sentences(text: &str) -> Vec<Range<usize>> {
    sentences(text)
        .into_iter()
        .filter(|span| STATEMENT_BYTES.contains(&span.len()))
        .filter(|span| text.get(span.clone()).is_some_and(is_first_person_statement))
        .take(MAX_FIRST_PERSON_SENTENCES)
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Vec<&str> {
        sentences(text).into_iter().map(|span| &text[span]).collect()
    }

    #[test]
    fn code_quotes_and_list_marks_are_left_out() {
        let text = "Hi there. See:\n```\nI am code.\n```\n> I am quoted.\n- I live here.\n\nBye!";
        assert_eq!(read(text), ["Hi there.", "See:", "I live here.", "Bye!"]);
    }

    #[test]
    fn an_abbreviation_does_not_end_a_sentence() {
        assert_eq!(read("I saw Dr. Smith today. He was kind."), ["I saw Dr. Smith today.", "He was kind."]);
    }

    #[test]
    fn questions_and_hypotheses_are_not_statements() {
        for yes in ["I moved to Lisbon.", "By the way, I'm a nurse!", "My dog is ill.", "Yesterday we met."] {
            assert!(is_first_person_statement(yes), "{yes}");
        }
        for no in ["Am I late?", "If I moved, it rains.", "It rains.", "Can you help me.", "", "IT is hard."]
        {
            assert!(!is_first_person_statement(no), "{no}");
        }
    }

    #[test]
    fn first_person_sentences_are_bounded() {
        let text = "I moved to Oslo. Really! ".repeat(40);
        assert_eq!(first_person_sentences(&text).len(), MAX_FIRST_PERSON_SENTENCES);
        let long = format!("I moved {}.", "far ".repeat(200));
        assert!(first_person_sentences(&long).is_empty());
    }

    proptest! {
        #[test]
        fn spans_ascend_within_any_text(text in any::<String>()) {
            let mut end = 0;
            for span in sentences(&text) {
                prop_assert!(end <= span.start && span.start < span.end);
                prop_assert!(text.get(span.clone()).is_some());
                end = span.end;
            }
        }
    }
}
