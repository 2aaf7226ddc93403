//! Clauses of a sentence, and the token at which a first-person statement begins in one.
//!
//! A statement is taken only if what stands before it is known to be harmless: nothing, a discourse marker ("by the way"),
//! a form of address, or a time. So that conditions, wishes, quotations and reported speech are left out.

use std::ops::Range;

use super::tokens::Token;
use super::words::Words;

/// Maximum number of tokens before the subject of a clause.
const MAX_PREFIX: usize = 10;

/// Marks that end a clause.
const ENDS: Words = Words("; : — – - ( ) … ! . ? * [ ]");
/// Words after which a full stop ends no clause.
const TITLES: Words = Words("mr mrs ms dr prof st vs jr sr");
/// Conjunctions that end a clause if a new subject or question follows.
const CONJUNCTIONS: Words = Words("and but so or as since while though yet , like");
/// Conjunctions that always end a clause: what follows is a reason or a contrast.
const ALWAYS: Words = Words("because although whereas unless");
/// Beginnings of a new clause after a conjunction.
const SUBJECTS: Words = Words(
    "i we my you he she it they can could do does what would is are there this that how let any please \
     our your should why these those if when maybe not thanks where will",
);
/// Subjects by which the part before a comma is a clause of its own.
const SUBJECTS_BEFORE: Words = Words("i my we it that this there thanks sounds is are was");
/// Words after which a following statement is not one of fact.
const HAZARDS: &[&str] = &[
    "if",
    "unless",
    "suppose",
    "imagine",
    "pretend",
    "whenever",
    "said",
    "says",
    "told",
    "asked",
    "maybe",
    "perhaps",
    "dream",
    "dreamed",
    "character",
    "story",
    "hypothetically",
    "were",
    "would",
    "could",
    "should",
    "might",
    "wish",
    "probably",
    "whether",
    "assume",
    "assuming",
    "example",
    "once",
    "when",
    "while",
    "rather",
    "not",
    "never",
    "say",
    "as",
    "until",
    "before",
    "because",
    "\"",
    "'",
    "act",
];

/// Token ranges of the clauses of a sentence.
pub(super) fn clauses(tokens: &[Token]) -> Vec<Range<usize>> {
    let word = |at: usize| tokens.get(at).map_or("", |token| token.word.as_str());
    let (mut found, mut start) = (Vec::new(), 0);
    for at in 0..tokens.len() {
        let is_abbreviated = word(at) == "." && at > 0 && TITLES.contains(word(at - 1));
        let is_mark =
            ENDS.contains(word(at)) && !tokens.get(at).is_some_and(|token| token.is_word) && !is_abbreviated;
        let next = if word(at) == "," && CONJUNCTIONS.contains(word(at + 1)) { at + 2 } else { at + 1 };
        // "that" and "as" inside a clause are not boundaries: only a comma or conjunction with a subject is.
        // "Last week, I moved": the part before the comma has no subject of its own.
        let is_adverbial = word(at) == ","
            && next == at + 1
            && at - start <= MAX_PREFIX
            && !(start..at).any(|at| SUBJECTS_BEFORE.contains(word(at)));
        let is_joint = CONJUNCTIONS.contains(word(at))
            && SUBJECTS.contains(word(next))
            && !is_place_of_time(tokens, next)
            && !is_adverbial;
        if is_mark || is_joint || ALWAYS.contains(word(at)) {
            if at > start {
                found.push(start..at);
            }
            start = if is_mark { at + 1 } else { at };
        }
    }
    if start < tokens.len() {
        found.push(start..tokens.len());
    }
    found
}

/// True for `this` and `that` before a word of time: `and this week`.
fn is_place_of_time(tokens: &[Token], at: usize) -> bool {
    let word = |at: usize| tokens.get(at).map_or("", |token| token.word.as_str());
    matches!(word(at), "this" | "that")
        && matches!(word(at + 1), "week" | "month" | "year" | "weekend" | "summer")
}

/// Subject of a clause, and the part before it that belongs to the statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Opening {
    /// Token of `i` or `my`.
    pub(super) subject: usize,
    /// Tokens of a time before the subject: `last week`.
    pub(super) prefix: Range<usize>,
}

/// Opening of a first-person statement. `is_time` tells whether a token range holds a time expression.
pub(super) fn opening(
    tokens: &[Token],
    clause: &Range<usize>,
    is_time: impl Fn(&Range<usize>) -> bool,
) -> Option<Opening> {
    let word = |at: usize| tokens.get(at).map_or("", |token| token.word.as_str());
    let mut start = clause.start;
    while start < clause.end && (MARKERS.contains(word(start)) || word(start) == ",") {
        start += 1;
    }
    let limit = clause.end.min(start + MAX_PREFIX);
    let subject = (start..limit).find(|at| matches!(word(*at), "i" | "my"))?;
    let prefix = start..subject;
    if subject == start {
        return Some(Opening { subject, prefix });
    }
    let has_hazard =
        tokens.get(clause.start..subject)?.iter().any(|token| HAZARDS.contains(&token.word.as_str()));
    if has_hazard {
        return None;
    }
    let is_after_comma = word(subject - 1) == ",";
    if is_time(&prefix) && prefix.len() <= 7 {
        let end = if is_after_comma { subject - 1 } else { subject };
        return Some(Opening { subject, prefix: start..end });
    }
    let is_marker = is_after_comma || MARKER_PHRASES.iter().any(|phrase| ends_with(tokens, &prefix, phrase));
    is_marker.then_some(Opening { subject, prefix: subject..subject })
}

/// Single words that only connect a statement to the conversation.
const MARKERS: Words = Words(
    "and but so well oh yeah yes yep actually also btw anyway plus ok okay hey hi hello wow haha honestly \
     personally currently unfortunately luckily fortunately interestingly sadly hmm lol basically besides \
     additionally cool great nice sure thanks recently finally as since because though although no",
);
/// Phrases of the same kind.
const MARKER_PHRASES: &[&[&str]] = &[
    &["by", "the", "way"],
    &["speaking", "of", "which"],
    &["fun", "fact"],
    &["for", "context"],
    &["to", "be", "honest"],
    &["in", "fact"],
    &["you", "know"],
    &["right", "now"],
    &["these", "days"],
    &["at", "the", "moment"],
    &["as", "for", "me"],
    &["i", "think"],
];

fn ends_with(tokens: &[Token], prefix: &Range<usize>, phrase: &[&str]) -> bool {
    let start = prefix.end.saturating_sub(phrase.len());
    start >= prefix.start
        && phrase
            .iter()
            .enumerate()
            .all(|(nth, word)| tokens.get(start + nth).is_some_and(|token| token.word == *word))
}
