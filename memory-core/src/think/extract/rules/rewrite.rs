//! Third person: a clause of the speaker written as a sentence about the speaker.
//!
//! The first `I` becomes the name of the speaker with its verb in agreement, later ones the singular `they`, which takes
//! the verb form of `I` apart from `am` and `was`. All other words stay as they were written.

use std::ops::Range;

use super::tokens::Token;
use super::words::{ADVERBS, Words};

/// Verbs of the patterns that stand in the present tense after `I`, and those that may follow with `and`.
const PRESENT: Words = Words(
    "live reside stay work study teach love like enjoy adore prefer hate dislike despise detest loathe \
     own want need plan intend hope aim aspire speak play go practice practise collect follow suffer come \
     drive volunteer commute meditate exercise jog swim dream start have do keep feel think try use know \
     take make run",
);

/// Name of the speaker in a text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Speaker<'a> {
    /// Name, if the speaker has one.
    pub(super) name: Option<&'a str>,
}

impl Speaker<'_> {
    /// At the start of a sentence: `The user`, `Ann`.
    fn subject(&self, is_first: bool) -> String {
        match self.name {
            Some(name) => name.to_owned(),
            None => if is_first { "The user" } else { "the user" }.to_owned(),
        }
    }

    /// Possessive at the start of a sentence: `The user's`, `Ann's`.
    pub(super) fn owner(&self, is_first: bool) -> String {
        format!("{}'s", self.subject(is_first))
    }
}

/// Note to be written after a token: the dates of a time expression.
pub(super) type Note = (usize, String);

/// Sentence about the speaker from token ranges of one sentence: a time before the subject, and the clause from it.
pub(super) fn about(
    speaker: Speaker<'_>,
    sentence: &str,
    tokens: &[Token],
    prefix: &Range<usize>,
    clause: &Range<usize>,
    note: Option<&Note>,
) -> String {
    let mut text = String::new();
    let mut writer = Writer { sentence, tokens, note, end: None };
    for at in prefix.clone() {
        writer.push(&mut text, at, None);
    }
    let is_first = text.is_empty();
    if !is_first {
        text.push(',');
    }
    let word = |at: usize| tokens.get(at).map_or("", |token| token.word.as_str());
    let is_my = word(clause.start) == "my";
    let subject = if is_my { speaker.owner(is_first) } else { speaker.subject(is_first) };
    writer.push(&mut text, clause.start, Some(subject));
    let verb =
        if is_my { None } else { (clause.start + 1..clause.end).find(|at| !ADVERBS.contains(word(*at))) };
    for at in clause.start + 1..clause.end {
        let previous = word(at - 1);
        let is_agreeing = verb == Some(at)
            || (previous == "and" && PRESENT.contains(word(at)) && has_present(tokens, verb));
        let changed = if is_agreeing {
            agreeing(word(at)).or_else(|| expanded(tokens, at))
        } else {
            replaced(tokens, at, previous)
        };
        writer.push(&mut text, at, changed);
    }
    finish(text)
}

fn has_present(tokens: &[Token], verb: Option<usize>) -> bool {
    verb.and_then(|at| tokens.get(at)).is_some_and(|token| PRESENT.contains(token.word.as_str()))
}

/// Writes tokens with the white space of the source between them.
struct Writer<'a> {
    sentence: &'a str,
    tokens: &'a [Token],
    note: Option<&'a Note>,
    /// End of the last token, in bytes.
    end: Option<usize>,
}

impl Writer<'_> {
    fn push(&mut self, text: &mut String, at: usize, changed: Option<String>) {
        let Some(token) = self.tokens.get(at) else { return };
        let is_apart = self.end.is_some_and(|end| end < token.span.start);
        let raw = self.sentence.get(token.span.clone()).unwrap_or_default();
        let is_expanded = changed.is_some() && raw.starts_with(['\'', '’']);
        if !text.is_empty() && (is_apart || is_expanded) {
            text.push(' ');
        }
        text.push_str(changed.as_deref().unwrap_or(raw));
        if let Some((_, note)) = self.note.filter(|(after, _)| *after == at) {
            text.push_str(" (");
            text.push_str(note);
            text.push(')');
        }
        self.end = Some(token.span.end);
    }
}

/// Third person singular of a verb after `I`; `None` if it does not change.
fn agreeing(verb: &str) -> Option<String> {
    Some(match verb {
        "am" => "is".to_owned(),
        "have" => "has".to_owned(),
        "do" => "does".to_owned(),
        verb if PRESENT.contains(verb) => third_person(verb),
        _ => return None,
    })
}

/// Full word of a contraction after the subject: `I'll` is `The user will`.
fn expanded(tokens: &[Token], at: usize) -> Option<String> {
    let word = tokens.get(at)?.word.as_str();
    matches!(word, "will" | "would").then(|| word.to_owned())
}

pub(super) fn third_person(verb: &str) -> String {
    let stem = verb.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'o', 'u']));
    match stem {
        Some(stem) => format!("{stem}ies"),
        None if verb.ends_with(['s', 'x', 'z', 'o']) || verb.ends_with("sh") || verb.ends_with("ch") => {
            format!("{verb}es")
        }
        None => format!("{verb}s"),
    }
}

/// Replacement of a later word of the first person. Capitalised words and words in quotes are parts of titles.
fn replaced(tokens: &[Token], at: usize, previous: &str) -> Option<String> {
    let token = tokens.get(at)?;
    let is_quoted = tokens.get(..at)?.iter().filter(|token| token.word == "\"").count() % 2 == 1;
    let is_title = is_quoted || (token.is_capital && token.word != "i");
    later(previous, &token.word).filter(|_| !is_title).map(str::to_owned)
}

/// Word for a later word of the first person; `None` if it does not change.
fn later(previous: &str, word: &str) -> Option<&'static str> {
    Some(match (previous, word) {
        (_, "i" | "we") => "they",
        (_, "my" | "our") => "their",
        (_, "me" | "us") => "them",
        (_, "mine" | "ours") => "theirs",
        (_, "myself" | "ourselves") => "themselves",
        ("i", "am") => "are",
        ("i" | "we", "was") => "were",
        _ => return None,
    })
}

/// Sentence with a capital and a full stop.
pub(super) fn finish(text: String) -> String {
    let body = text.trim().trim_end_matches([',', ';', ':', '-', '.', '!', ' ']);
    let mut letters = body.chars();
    let first: String = letters.next().map(|first| first.to_uppercase().collect()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

/// Phrase of the speaker's words, in the third person.
pub(super) fn phrase(sentence: &str, tokens: &[Token], range: &Range<usize>) -> String {
    let mut text = String::new();
    let mut writer = Writer { sentence, tokens, note: None, end: None };
    for at in range.clone() {
        let word = |at: usize| tokens.get(at).map_or("", |token| token.word.as_str());
        let previous = at.checked_sub(1).map_or("", word);
        writer.push(&mut text, at, replaced(tokens, at, previous));
    }
    text.trim().trim_matches('"').to_owned()
}
