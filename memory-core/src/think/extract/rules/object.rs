//! Object of a statement: its extent in the clause, and refusal of one that says nothing without its conversation.

use std::ops::Range;

use super::rule::Object;
use super::tokens::Token;
use super::words::Words;

/// Maximum number of words of a noun phrase, place or activity.
const MAX_PHRASE_WORDS: usize = 10;
/// Maximum number of words of the rest of a clause.
const MAX_REST_WORDS: usize = 24;
/// Maximum length of an object, in bytes.
pub(super) const MAX_OBJECT_BYTES: usize = 160;

/// Words before which a noun phrase ends.
const NOUN_ENDS: Words = Words(
    "for with from at in on to since because and but which that who when where while so as if after \
     before until during by about over through than just recently lately now today yesterday tomorrow \
     again too soon there also already anymore ago is are was were has have i we or around every last not \
     though currently using",
);
/// Words before which a place ends.
const PLACE_ENDS: Words = Words(
    "for with from since because and but which that who when where while so as if after before until \
     during to about just recently now today yesterday tomorrow again too soon there also already anymore \
     last is was i we or next this every",
);
/// Words before which an activity ends.
const ACTIVITY_ENDS: Words = Words(
    "because but which when while so if since though although i we too anymore lately who where after \
     before until is was now",
);
/// First words of an object that refers to something said elsewhere, or to nothing in particular.
const VAGUE: Words = Words(
    "mine ours it this that these those them him her you your he she they one ones something anything everything \
     nothing someone some any all both things stuff thing lot lots what how when where why which who here \
     there same more such each another other few its their his way point idea bit most if either part not \
     others different much many enough question questions sure none anyone us like",
);
/// Words that point at the conversation or the listener, anywhere in the object.
const DEICTIC: Words = Words("you your yours these those above following here below this that");
/// Words of time after which `this` or `that` is no reference.
pub(super) const TIME_WORDS: Words = Words(
    "week month year weekend morning afternoon evening summer winter spring fall autumn day night time \
     semester season monday tuesday wednesday thursday friday saturday sunday past coming upcoming",
);

/// Token range of the object from `start`; `None` if there is none that stands on its own. `time` is the first token of
/// the next time expression.
pub(super) fn extent(
    tokens: &[Token],
    kind: Object,
    start: usize,
    clause_end: usize,
    time: Option<usize>,
) -> Option<Range<usize>> {
    let start = skip_determiners(tokens, start, clause_end);
    let (ends, most): (Words, usize) = match kind {
        Object::Place => (PLACE_ENDS, MAX_PHRASE_WORDS),
        Object::Thing | Object::Number => (NOUN_ENDS, MAX_PHRASE_WORDS),
        Object::Activity => (ACTIVITY_ENDS, MAX_PHRASE_WORDS),
        Object::Name => return name(tokens, start, clause_end),
        _ => (Words(""), MAX_REST_WORDS),
    };
    let limit =
        if kind == Object::Rest { clause_end } else { time.map_or(clause_end, |time| clause_end.min(time)) };
    let is_end = |at: &usize| {
        let Some(token) = tokens.get(*at) else { return true };
        let is_list = token.word == ","
            && (kind == Object::Activity
                || kind == Object::Place && tokens.get(at + 1).is_some_and(|next| next.is_capital));
        let is_mark = !token.is_word && !is_list && !matches!(token.word.as_str(), "\"" | "'" | "&");
        *at > start && kind != Object::Rest && (is_mark || ends.contains(token.word.as_str()))
            || token.word == "."
    };
    let mut end = (start..limit).find(is_end).unwrap_or(limit);
    if end - start.min(end) > most {
        end = start + most;
    }
    let end = trim(tokens, start, end);
    let range = start..end;
    is_meaningful(tokens, kind, &range).then_some(range)
}

/// End without particles and marks that connect to what is cut off.
fn trim(tokens: &[Token], start: usize, mut end: usize) -> usize {
    const TRAILING: Words = Words(
        "and or the a an of in on at to for with my this by , really about around from every since last \
         next that back as over so is both also especially specifically including particularly like such",
    );
    while end > start && tokens.get(end - 1).is_some_and(|token| TRAILING.contains(token.word.as_str())) {
        end -= 1;
    }
    end
}

fn skip_determiners(tokens: &[Token], mut at: usize, end: usize) -> usize {
    const SKIPPED: Words =
        Words("a an really very also mostly mainly just definitely actually , myself both");
    while at < end && tokens.get(at).is_some_and(|token| SKIPPED.contains(token.word.as_str())) {
        at += 1;
    }
    at
}

/// Capitalised words, with particles between them.
fn name(tokens: &[Token], start: usize, end: usize) -> Option<Range<usize>> {
    const PARTICLES: Words = Words("of the and de van der von la for &");
    let is_capital = |at: usize| {
        tokens.get(at).is_some_and(|token| token.is_capital && token.is_word && token.word != "i")
    };
    let start = if tokens.get(start).is_some_and(|token| token.word == "the") { start + 1 } else { start };
    if start >= end || !is_capital(start) {
        return None;
    }
    let mut last = start;
    for at in start..end.min(start + MAX_PHRASE_WORDS) {
        let token = tokens.get(at)?;
        if is_capital(at) {
            last = at;
        } else if !PARTICLES.contains(token.word.as_str()) || at > last + 1 {
            break;
        }
    }
    Some(start..last + 1)
}

fn is_meaningful(tokens: &[Token], kind: Object, range: &Range<usize>) -> bool {
    let Some(words) = tokens.get(range.clone()).filter(|words| !words.is_empty()) else { return false };
    let word = |at: usize| words.get(at).map_or("", |token| token.word.as_str());
    let is_definite = word(0) == "the";
    let is_named = is_definite && words.iter().skip(1).all(|token| token.is_capital);
    let has_capital = words.iter().any(|token| token.is_capital && token.word != "i");
    let has_letters = words.iter().any(|token| token.is_word && token.word.chars().count() > 1);
    let is_open = match kind {
        Object::Thing | Object::Activity => is_definite && !is_named,
        Object::Place => {
            !(has_capital || (words.len() <= 6 && matches!(word(0), "the" | "my") || words.len() <= 3))
        }
        Object::Number => !super::words::is_number(word(0)),
        _ => false,
    };
    let is_deictic = (0..words.len()).any(|at| {
        DEICTIC.contains(word(at))
            && !(matches!(word(at), "this" | "that") && TIME_WORDS.contains(word(at + 1)))
            // "that" after a noun begins a relative clause.
            && !(word(at) == "that" && at > 0 && kind != Object::Thing)
    });
    let is_vague = VAGUE.contains(word(0)) && kind != Object::Number && !starts_time(word(0), word(1));
    let is_anaphoric = kind != Object::Rest
        && (words.iter().any(|token| matches!(token.word.as_str(), "one" | "ones" | "there"))
            || word(1) == "same");
    let is_bare_course = kind == Object::Rest && words.len() == 1 && word(0).ends_with("ing");
    has_letters && !is_bare_course && !is_anaphoric && !is_open && !is_deictic && !is_vague
        || (kind == Object::Number && !is_open)
}

fn starts_time(first: &str, second: &str) -> bool {
    matches!(first, "this" | "that" | "one" | "each") && TIME_WORDS.contains(second)
}
