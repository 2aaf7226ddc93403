//! Patterns over tokens: a small language, so that rules are data.
//!
//! A pattern is a row of pieces. `live|reside` is one of these words; a `?` after a piece makes it optional; `...` at the
//! start lets the pattern begin anywhere in a clause. Classes: `<kin>`, `<friend>` (each with an adjective before it),
//! `<pet>`, `<thing>`, `<num>`, `<counted>` (a participle), `<habit>` (an `-ing` form), `<job>`, `<name>` (one to three
//! capitalised words) and `<what>` (one to three words before `is` or `are`). An adverb may stand before any piece but the
//! first. Matching has no back-tracking: time is linear in the pattern.

use std::ops::Range;

use super::tokens::Token;
use super::words::{
    COUNTED, FRIENDS, HABITS, KIN, KIN_ADJECTIVES, PETS, THINGS, Words, is_number, is_occupation,
};

/// Maximum number of words of a name.
const MAX_NAME_WORDS: usize = 3;
/// Maximum number of words of `<what>`.
const MAX_WHAT_WORDS: usize = 3;
/// Maximum number of words before the noun that decides `<thing>`, `<pet>` and `<job>`.
const MAX_WORDS_BEFORE_NOUN: usize = 4;

/// Compiled pattern.
#[derive(Debug)]
pub(super) struct Pattern {
    pub(super) is_anywhere: bool,
    pieces: Vec<(Piece, bool)>,
}

#[derive(Debug)]
enum Piece {
    Words(Vec<&'static str>),
    Kin,
    Friend,
    Pet,
    Thing,
    Number,
    Counted,
    Habit,
    Job,
    Name,
    What,
}

/// Match of a pattern: token ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Match {
    /// All tokens of the match.
    pub(super) span: Range<usize>,
    /// `<kin>` or `<friend>`, without adjectives.
    pub(super) kin: Option<usize>,
    /// `<name>`.
    pub(super) name: Option<Range<usize>>,
    /// `<what>`, `<pet>`, `<thing>`, `<habit>` or `<job>`.
    pub(super) what: Option<Range<usize>>,
    /// Token after the verb group; it and what follows is the object.
    pub(super) object: usize,
}

impl Pattern {
    pub(super) fn new(text: &'static str) -> Self {
        let body = text.strip_prefix("...").unwrap_or(text);
        let pieces = body.split_whitespace().map(|piece| {
            let plain = piece.strip_suffix('?').unwrap_or(piece);
            let kind = match plain {
                "<kin>" => Piece::Kin,
                "<friend>" => Piece::Friend,
                "<pet>" => Piece::Pet,
                "<thing>" => Piece::Thing,
                "<num>" => Piece::Number,
                "<counted>" => Piece::Counted,
                "<habit>" => Piece::Habit,
                "<job>" => Piece::Job,
                "<name>" => Piece::Name,
                "<what>" => Piece::What,
                words => Piece::Words(words.split('|').collect()),
            };
            (kind, plain.len() < piece.len())
        });
        Self { is_anywhere: body.len() < text.len(), pieces: pieces.collect() }
    }

    /// Match that begins at a token.
    pub(super) fn match_at(&self, tokens: &[Token], start: usize) -> Option<Match> {
        let mut found = Match { span: start..start, object: start, ..Match::default() };
        let mut at = start;
        for (nth, (piece, is_optional)) in self.pieces.iter().enumerate() {
            let direct = piece.match_at(tokens, at, &mut found);
            let end = direct.or_else(|| {
                let skipped = if nth == 0 { at } else { skip_adverbs(tokens, at) };
                if skipped == at { None } else { piece.match_at(tokens, skipped, &mut found) }
            });
            match end {
                Some(end) => at = end,
                None if *is_optional => {}
                None => return None,
            }
        }
        found.span.end = at;
        Some(found)
    }
}

/// First token from `at` that is no adverb.
pub(super) fn skip_adverbs(tokens: &[Token], mut at: usize) -> usize {
    while tokens.get(at).is_some_and(|token| token.is_adverb) {
        at += 1;
    }
    at
}

impl Piece {
    /// End of the piece at a token. Captures go to `found`; the object begins after the piece, or with it for the
    /// classes that are objects themselves.
    fn match_at(&self, tokens: &[Token], at: usize, found: &mut Match) -> Option<usize> {
        let one =
            |is: fn(&str) -> bool| tokens.get(at).is_some_and(|token| is(&token.word)).then_some(at + 1);
        let end = match self {
            Self::Words(any) => {
                let token = tokens.get(at)?;
                let end = any.contains(&token.word.as_str()).then_some(at + 1)?;
                found.object = end;
                return Some(end);
            }
            Self::Kin => return related(tokens, at, KIN, found),
            Self::Friend => return related(tokens, at, FRIENDS, found),
            Self::Pet => noun(tokens, at, |word| PETS.contains(word)),
            Self::Thing => noun(tokens, at, |word| THINGS.contains(word)),
            Self::Job => noun(tokens, at, is_occupation),
            Self::Number => one(is_number),
            Self::Counted => one(|word| word.ends_with("ed") || COUNTED.contains(word)),
            Self::Habit => one(|word| HABITS.contains(word)),
            Self::Name => {
                let end = name_end(tokens, at)?;
                found.name = Some(at..end);
                found.object = end;
                return Some(end);
            }
            Self::What => what_end(tokens, at),
        }?;
        match self {
            Self::Number => found.what = Some(at..end),
            Self::Counted => found.object = end,
            Self::Habit => (found.what, found.object) = (Some(at..end), at),
            Self::What => (found.what, found.object) = (Some(at..end), end),
            _ => (found.what, found.object) = (Some(at..end), at),
        }
        Some(end)
    }
}

/// Adjective, then a word of the list. No word may follow that makes it another noun: `my sister city`.
fn related(tokens: &[Token], at: usize, list: Words, found: &mut Match) -> Option<usize> {
    let is_adjective =
        |at: usize| tokens.get(at).is_some_and(|token| KIN_ADJECTIVES.contains(token.word.as_str()));
    let is_listed = |at: usize| tokens.get(at).is_some_and(|token| list.contains(token.word.as_str()));
    let at = (at..at + 3).find(|at| is_listed(*at) || !is_adjective(*at)).filter(|at| is_listed(*at))?;
    found.kin = Some(at);
    found.object = at + 1;
    Some(at + 1)
}

/// End of up to [`MAX_WORDS_BEFORE_NOUN`] words and a noun; the next word may not continue the compound.
fn noun(tokens: &[Token], at: usize, is_noun: fn(&str) -> bool) -> Option<usize> {
    const ENDS: Words = Words(
        "a an the to of for with in on at from about and or but that which is are was my i you it who by \
         's last yesterday recently today when since so because as called named this we after before has \
         have while during over through there too now again next just working making two three these \
         myself off into than where",
    );
    for noun in at..=at + MAX_WORDS_BEFORE_NOUN {
        let token = tokens.get(noun).filter(|token| token.is_word && !ENDS.contains(token.word.as_str()))?;
        let is_compound =
            tokens.get(noun + 1).is_some_and(|next| next.is_word && !ENDS.contains(next.word.as_str()));
        if is_noun(&token.word) && !is_compound {
            return Some(noun + 1);
        }
    }
    None
}

/// End of one to three capitalised words.
fn name_end(tokens: &[Token], at: usize) -> Option<usize> {
    let is_name = |at: usize| {
        tokens.get(at).is_some_and(|token| {
            let letters = token.word.chars().all(|c| c.is_alphabetic() || matches!(c, '-' | '.'));
            token.is_capital && token.is_word && letters && token.word.chars().count() > 1
        })
    };
    let end = (at..at + MAX_NAME_WORDS).find(|at| !is_name(*at)).unwrap_or(at + MAX_NAME_WORDS);
    let is_title = tokens.get(at).is_some_and(|token| HONORIFICS.contains(token.word.as_str()));
    (end > at && !(is_title && end == at + 1)).then_some(end)
}

/// Titles before a name, which are no names.
const HONORIFICS: Words = Words("mr mrs ms dr prof professor miss mr. mrs. ms. dr.");

/// End of one to three plain words before `is` or `are`.
fn what_end(tokens: &[Token], at: usize) -> Option<usize> {
    let word = |at: usize| tokens.get(at).filter(|token| token.is_word).map(|token| token.word.as_str());
    let end = (at + 1..=at + MAX_WHAT_WORDS).find(|end| matches!(word(*end), Some("is" | "are" | "was")))?;
    let are_words = (at..end).all(|at| word(at).is_some_and(|word| word.chars().all(char::is_alphabetic)));
    are_words.then_some(end)
}
