//! One sentence of a speaker → candidate facts: every clause is compared with the rules, and what matches is written in
//! the third person.

use std::ops::Range;

use super::clause::{clauses, opening};
use super::english::RULES;
use super::object::{self, MAX_OBJECT_BYTES, TIME_WORDS};
use super::pattern::{Match, Pattern, skip_adverbs};
use super::rewrite::{Note, Speaker, about, finish, phrase};
use super::rule::{Kind, Object, Rule};
use super::tokens::{Token, tokens};
use super::when::{Form, Time, times};
use super::words::{KIN, Words};
use crate::domain::memory::Happened;
use crate::domain::name::Name;
use crate::domain::statement::{Attribute, Statement};
use crate::domain::time::Interval;
use crate::think::candidate::{CandidateFact, SourceTurn};

/// Maximum number of words of a fact; a longer clause is cut at a conjunction or preposition.
const MAX_TEXT_WORDS: usize = 40;
/// First words of a sentence whose statements are conditions, wishes or requests.
const OPEN_STARTS: Words =
    Words("if suppose imagine pretend assume assuming say what how would could should did");
/// Nouns whose attributes are about the conversation: `my question is`.
const NOT_ATTRIBUTES: Words = Words(
    "says said it that who has question questions point guess concern concerns problem issue idea ideas thought thoughts bad \
     apologies answer request understanding main only first next one plan hope pleasure mistake advice \
     suggestion code prompt text task turn treat opinion biggest worry favorite favourite top goal \
     priority budget condolences go-to",
);

/// Reader of one sentence.
pub(super) struct Reader<'a> {
    turn: &'a SourceTurn,
    position: usize,
    sentence: &'a str,
    tokens: Vec<Token>,
    times: Vec<Time>,
    speaker: Speaker<'a>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(turn: &'a SourceTurn, position: usize, sentence: &'a str) -> Self {
        let tokens = tokens(sentence);
        let times = times(sentence, &tokens, turn.zone.date(turn.said_at));
        let speaker = Speaker { name: turn.author.as_ref().map(Name::as_str) };
        Self { turn, position, sentence, tokens, times, speaker }
    }

    /// Candidate facts of the sentence.
    pub(super) fn facts(&self) -> Vec<CandidateFact> {
        let quotes = self.tokens.iter().filter(|token| token.word == "\"").count();
        let is_hypothetical = OPEN_STARTS.contains(self.word(0)) || self.has_wish();
        if quotes % 2 == 1 || self.word(0) == "\"" || is_hypothetical {
            return Vec::new();
        }
        let is_asked = self.tokens.iter().rev().take(2).any(|token| token.word == "?");
        let clauses = clauses(&self.tokens);
        let mut found = Vec::new();
        for (nth, clause) in clauses.iter().enumerate() {
            let is_stated = !is_asked || nth + 1 < clauses.len();
            if is_stated {
                found.extend(self.stated(clause));
            }
            found.extend(self.presupposed(clause));
        }
        found
    }

    /// True for a wish or condition anywhere in the sentence.
    fn has_wish(&self) -> bool {
        self.tokens.windows(2).any(|pair| {
            let [first, second] = pair else { return false };
            matches!(
                (first.word.as_str(), second.word.as_str()),
                ("i", "wish") | ("if", "i") | ("wish", "i") | ("let", "'s") | ("as", "if") | ("as", "though")
            )
        })
    }

    /// Fact that a clause states: the first rule whose object can stand on its own.
    fn stated(&self, clause: &Range<usize>) -> Option<CandidateFact> {
        let is_time = |range: &Range<usize>| self.times.iter().any(|time| range.contains(&time.tokens.start));
        let opening = opening(&self.tokens, clause, is_time)?;
        let rules = RULES.iter().filter(|(_, pattern)| !pattern.is_anywhere);
        for (rule, pattern) in rules {
            let Some(found) = self.matched(pattern, opening.subject, clause) else { continue };
            if self.is_excluded(rule, &found, clause) {
                continue;
            }
            let fact = self.fact(rule, &found, &opening.prefix, clause);
            if fact.is_some() {
                return fact;
            }
        }
        None
    }

    /// Facts that a clause takes for granted, wherever it stands: `my sister Maria`.
    fn presupposed(&self, clause: &Range<usize>) -> Vec<CandidateFact> {
        let mut facts = Vec::new();
        for at in clause.clone().filter(|at| self.word(*at) == "my") {
            let rules = RULES.iter().filter(|(_, pattern)| pattern.is_anywhere);
            let fact = rules
                .filter_map(|(rule, pattern)| Some((rule, self.matched(pattern, at, clause)?)))
                .filter(|(_, found)| !self.filled("{what}", found).ends_with('s'))
                .find_map(|(rule, found)| self.fact(rule, &found, &(at..at), clause));
            facts.extend(fact);
        }
        facts
    }

    fn matched(&self, pattern: &Pattern, at: usize, clause: &Range<usize>) -> Option<Match> {
        pattern.match_at(&self.tokens, at).filter(|found| found.span.end <= clause.end)
    }

    /// True for a match that the rest of the clause makes something else.
    fn is_excluded(&self, rule: &Rule, found: &Match, clause: &Range<usize>) -> bool {
        let has_time = self.times.iter().any(|time| clause.contains(&time.tokens.start));
        let next = self.word(skip_adverbs(&self.tokens, found.span.end));
        let what = found.what.as_ref().map_or("", |what| self.word(what.start));
        let has = |words: Words| clause.clone().any(|at| words.contains(self.word(at)));
        let is_negated = found.span.clone().any(|at| self.word(at) == "not");
        match rule.kind {
            Kind::Ended if is_negated => return !has(Words("anymore longer more")),
            Kind::Plan if has(Words("probably maybe might possibly")) => return true,
            _ => {}
        }
        match rule.relation {
            "is going to" | "will" | "will be" => !has_time,
            "is considering" => !has_time || !(next.ends_with("ing") || matches!(next, "a" | "an")),
            "{what} is" => self.is_about_talk(found) || NOT_VALUES.contains(self.word(found.object)),
            "is {what}" => {
                matches!(what, "going" | "doing" | "seeing" | "making" | "dealing")
                    || NOT_COURSES.contains(next)
            }
            "has been {what}" => {
                NOT_COURSES.contains(self.word(found.span.end)) || NOT_COURSES.contains(next)
            }
            "has" if rule.attribute.is_empty() => {
                has(Words("days hours minutes questions options ideas things"))
            }
            "went" | "{verb}" => NOT_EVENTS.contains(next),
            "is a" => has(NOT_TRADES),
            "has a birthday on" => !has_time,
            _ => rule.attribute == "likes" && NOT_LIKED.contains(next),
        }
    }

    fn is_about_talk(&self, found: &Match) -> bool {
        found
            .what
            .clone()
            .is_some_and(|what| what.into_iter().any(|at| NOT_ATTRIBUTES.contains(self.word(at))))
    }

    fn fact(
        &self,
        rule: &Rule,
        found: &Match,
        prefix: &Range<usize>,
        clause: &Range<usize>,
    ) -> Option<CandidateFact> {
        let time = self.time(rule.kind, prefix.start.min(found.span.start)..clause.end);
        let end = self.text_end(found, clause.end)?;
        let object = self.object(rule, found, end)?;
        let text = if rule.text.is_empty() {
            let note = time.as_ref().and_then(|time| self.note(time));
            about(self.speaker, self.sentence, &self.tokens, prefix, &(found.span.start..end), note.as_ref())
        } else {
            finish(self.filled(rule.text, found))
        };
        let value = if rule.object == Object::None && rule.attribute.is_empty() {
            None
        } else {
            Some(
                Name::new(&self.phrase(&object))
                    .ok()
                    .filter(|value| value.as_str().len() <= MAX_OBJECT_BYTES)?,
            )
        };
        let (happened, valid) = self.dates(rule.kind, time.as_ref());
        Some(CandidateFact {
            text,
            statement: Statement {
                subject: self.subject(rule, found)?,
                relation: Name::new(&self.filled(rule.relation, found)).ok(),
                object: value,
                attribute: self.attribute(rule, found),
                confidence: rule.confidence,
                said_by: self.turn.role,
            },
            is_ended: rule.kind == Kind::Ended,
            happened,
            valid,
            evidence: vec![self.position],
            is_confidential: false,
        })
    }

    /// Token range of the object.
    fn object(&self, rule: &Rule, found: &Match, end: usize) -> Option<Range<usize>> {
        match rule.object {
            Object::None => Some(found.span.end - 1..found.span.end),
            Object::Captured => found.what.clone(),
            Object::CapturedName => found.name.clone(),
            kind => {
                let next =
                    self.times.iter().map(|time| time.tokens.start).find(|start| *start >= found.object);
                object::extent(&self.tokens, kind, found.object, end, next)
            }
        }
    }

    /// Time that belongs to the statement.
    fn time(&self, kind: Kind, span: Range<usize>) -> Option<Time> {
        let time = self.times.iter().find(|time| span.contains(&time.tokens.start))?;
        Some(if kind == Kind::Plan {
            time.for_plan(self.turn.zone.date(self.turn.said_at))
        } else {
            time.clone()
        })
    }

    fn note(&self, time: &Time) -> Option<Note> {
        let after = time.tokens.end.checked_sub(1)?;
        Some((after, time.note()?))
    }

    /// Times of the event and of validity.
    fn dates(&self, kind: Kind, time: Option<&Time>) -> (Happened, Interval) {
        let said_at = Happened { at: self.turn.said_at, until: None, offset: self.turn.utc_offset };
        let named =
            time.filter(|time| time.form == Form::Days).and_then(|time| time.happened(&self.turn.zone));
        let happened = named.unwrap_or(said_at);
        let start =
            time.and_then(|time| time.start(&self.turn.zone)).filter(|start| *start <= self.turn.said_at);
        let valid = match kind {
            Kind::State => Interval { start: Some(start.unwrap_or(self.turn.said_at)), end: None },
            Kind::Ended => Interval {
                start: None,
                end: named.map(|named| named.at).filter(|at| *at <= self.turn.said_at),
            },
            Kind::Event | Kind::Plan | Kind::Past => Interval::default(),
        };
        (happened, valid)
    }

    /// End of the text: before a word that points at the listener or the conversation, and bounded. `None` if that leaves
    /// too little.
    fn text_end(&self, found: &Match, most: usize) -> Option<usize> {
        let (start, least) = (found.span.start, found.span.end.max(found.object));
        let (mut end, mut cut) = (most, least);
        for at in found.object..most {
            if CUTS.contains(self.word(at)) && !self.is_in_quotes(start, at) {
                cut = at.max(least);
            }
            if self.is_hazard(at, found) || at - start >= MAX_TEXT_WORDS {
                end = cut;
                break;
            }
        }
        let is_cut = end < most;
        let is_loose = |word: &str| TRAILING.contains(word) && (is_cut || !PREPOSITIONS.contains(word));
        while end > least && is_loose(self.word(end - 1)) {
            end -= 1;
        }
        if self.is_in_quotes(start, end) {
            end = (end..self.tokens.len()).find(|at| self.word(*at) == "\"")? + 1;
        }
        let is_enough = end == most || end == least || end - least.min(end) >= MIN_CUT_WORDS;
        (end > start && is_enough).then_some(end)
    }

    fn is_in_quotes(&self, start: usize, end: usize) -> bool {
        (start..end).filter(|at| self.word(*at) == "\"").count() % 2 == 1
    }

    /// True for a word that refers to the listener, to what was said before, or to an unnamed person.
    fn is_hazard(&self, at: usize, found: &Match) -> bool {
        let (word, next) = (self.word(at), self.word(at + 1));
        let before = at.checked_sub(1).map_or("", |before| self.word(before));
        let is_named = |token: &Token| token.is_capital && token.word != "i" && token.word != "my";
        match word {
            "you" | "your" | "yours" | "these" | "those" | "here" | "above" | "below" | "if"
            | "hopefully" | "instead" => true,
            "this" => !TIME_WORDS.contains(next),
            "that" => PREPOSITIONS.contains(before) && !TIME_WORDS.contains(next),
            "need" | "want" | "wondering" | "looking" | "would" | "could" | "was" | "am" => before == "and",
            "it" | "them" | "there" | "ones" | "its" | "one" => {
                at < found.object + 6 && !(word == "one" && next == "of")
            }
            "he" | "she" | "his" | "her" | "him" | "they" | "their" => {
                let mut earlier = (found.span.start..at).filter_map(|at| self.tokens.get(at));
                !earlier.any(|token| KIN.contains(token.word.as_str()) || is_named(token))
            }
            _ => false,
        }
    }

    fn subject(&self, rule: &Rule, found: &Match) -> Option<Name> {
        let is_of_kin = found.kin.is_some()
            && self.word(found.span.start) == "my"
            && !matches!(rule.attribute, "family" | "friend" | "partner" | "pet");
        let speaker = self.speaker.name.unwrap_or(Statement::USER);
        let name = match (&found.name, found.kin) {
            (Some(name), Some(_)) if is_of_kin => self.phrase(name),
            (None, Some(kin)) if is_of_kin => format!("{speaker}'s {}", self.word(kin)),
            _ => speaker.to_owned(),
        };
        Name::new(&name).ok()
    }

    fn attribute(&self, rule: &Rule, found: &Match) -> Option<Attribute> {
        let what = self.filled("{what}", found).replace([' ', '-'], "_").replace('\'', "");
        let slot = match rule.attribute {
            "family" if found.kin.is_some_and(|kin| PARTNERS.contains(self.word(kin))) => {
                "partner".to_owned()
            }
            slot => slot.replace("{what}", &what.to_lowercase()),
        };
        Attribute::new(&slot)
    }

    /// Template with the captures in place of `{owner}`, `{kin}`, `{name}` and `{what}`.
    fn filled(&self, template: &str, found: &Match) -> String {
        let mut text = template.to_owned();
        for (mark, value) in [
            ("{owner}", Some(self.speaker.owner(true))),
            ("{kin}", found.kin.map(|kin| self.word(kin).to_owned())),
            ("{name}", found.name.as_ref().map(|name| self.phrase(name))),
            ("{verb}", found.object.checked_sub(1).map(|at| self.word(at).to_owned())),
            ("{what}", found.what.as_ref().map(|what| self.phrase(what))),
        ] {
            if text.contains(mark) {
                text = text.replace(mark, value.as_deref().unwrap_or_default().trim());
            }
        }
        text
    }

    fn phrase(&self, range: &Range<usize>) -> String {
        phrase(self.sentence, &self.tokens, range)
    }

    fn word(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| token.word.as_str())
    }
}

/// Minimum number of words after the pattern in a text that was cut.
const MIN_CUT_WORDS: usize = 3;
/// Words before which a text may be cut.
const CUTS: Words = Words(
    ", and but which that who so because since when while to for with as like in on at from after before if or thanks",
);
/// Words that no text ends with.
const TRAILING: Words = Words(
    ", and but so which that because or as thanks especially specifically including particularly though since even on with to for of in at from by about",
);
/// Words before `that` which make it a reference.
const PREPOSITIONS: Words = Words("to of for in with on at from like about using by out");
/// First words after `my X is` that tell of a passing state.
const NOT_VALUES: Words = Words(
    "so still getting coming really usually pretty very not also to for about just too always starting looking quite going \
     already all super actually that definitely into awesome paying great amazing",
);
/// Words after a participle that tell nothing: `I've been doing great`.
const NOT_COURSES: Words =
    Words("great well ok okay good fine alright better low hard late out around through some so it up");
/// Words after a verb that make another verb of it: `I went through`.
const NOT_EVENTS: Words = Words("through over ahead with down crazy off out by sure up");
/// Words that make an occupation a quality: `an excellent baker`.
const NOT_TRADES: Words =
    Words("excellent great amazing terrible intermediate beginner amateur novice good better bad aspiring");
/// First words of what is liked about the conversation: `I love how`.
const NOT_LIKED: Words = Words("how to that what when if seeing hearing being");
/// Words of kinship that are a partner.
const PARTNERS: Words =
    Words("wife husband spouse partner girlfriend boyfriend fiancé fiancée fiance fiancee");
