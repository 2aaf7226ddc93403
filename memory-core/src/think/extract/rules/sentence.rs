//! One sentence of a speaker → candidate facts: every clause is compared with the rules, and what matches is written in
//! the third person.

use std::ops::Range;

use super::clause::{clauses, opening};
use super::english::RULES;
use super::object::{self, MAX_OBJECT_BYTES, TIME_WORDS};
use super::pattern::{Match, Pattern};
use super::rewrite::{Note, Speaker, about, finish, phrase};
use super::rule::{Kind, Object, Rule};
use super::tokens::{Token, tokens};
use super::when::{Form, Time, times};
use crate::domain::memory::Happened;
use crate::domain::name::Name;
use crate::domain::statement::{Attribute, Statement};
use crate::domain::time::Interval;
use crate::think::candidate::{CandidateFact, SourceTurn};

/// Maximum number of words of a fact; a longer clause is cut at a conjunction or preposition.
const MAX_TEXT_WORDS: usize = 40;
/// First words of a sentence whose statements are conditions, wishes or requests.
const OPEN_STARTS: &[&str] = &[
    "if", "suppose", "imagine", "pretend", "assume", "assuming", "say", "what", "how", "would", "could",
    "should", "did",
];
/// Nouns whose attributes are about the conversation: `my question is`.
const NOT_ATTRIBUTES: &[&str] = &[
    "question",
    "questions",
    "point",
    "guess",
    "concern",
    "concerns",
    "problem",
    "issue",
    "idea",
    "ideas",
    "thought",
    "thoughts",
    "bad",
    "apologies",
    "answer",
    "request",
    "understanding",
    "main",
    "only",
    "first",
    "next",
    "one",
    "plan",
    "hope",
    "pleasure",
    "mistake",
    "advice",
    "suggestion",
    "code",
    "prompt",
    "text",
    "task",
    "turn",
    "treat",
    "opinion",
    "biggest",
    "worry",
    "favorite",
    "favourite",
    "top",
    "goal",
    "priority",
    "budget",
    "condolences",
    "go-to",
];

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
        let times = times(sentence, &tokens, turn.said_at);
        let speaker = Speaker { name: turn.author.as_ref().map(Name::as_str) };
        Self { turn, position, sentence, tokens, times, speaker }
    }

    /// Candidate facts of the sentence.
    pub(super) fn facts(&self) -> Vec<CandidateFact> {
        let quotes = self.tokens.iter().filter(|token| token.word == "\"").count();
        let is_hypothetical = OPEN_STARTS.contains(&self.word(0)) || self.has_wish();
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
        let words = |range: Range<usize>| range.map(|at| self.word(at)).collect::<Vec<_>>();
        let rest = words(found.span.end..clause.end);
        let is_bare_will = rule.kind == Kind::Plan
            && matches!(self.word(found.span.end - 1), "to" | "will" | "be" | "of" | "about" | "considering");
        let has_time = self.times.iter().any(|time| clause.contains(&time.tokens.start));
        let needs_time = is_bare_will && rule.confidence < 0.75;
        let is_about_talk = found.what.clone().is_some_and(|what| {
            words(what).iter().any(|word| NOT_ATTRIBUTES.contains(word)) && rule.relation == "has the {what}"
        });
        let first = rest.first().copied().unwrap_or_default();
        let is_open_like = rule.attribute == "likes"
            && matches!(
                first,
                "how" | "to" | "that" | "what" | "when" | "if" | "seeing" | "hearing" | "being"
            );
        (needs_time && !has_time) || is_about_talk || is_open_like
    }

    fn fact(
        &self,
        rule: &Rule,
        found: &Match,
        prefix: &Range<usize>,
        clause: &Range<usize>,
    ) -> Option<CandidateFact> {
        let time = self.time(rule.kind, prefix.start.min(found.span.start)..clause.end);
        let object = self.object(rule, found, clause)?;
        let end = self.text_end(object.end.max(found.span.end), found.span.start, clause.end)?;
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
    fn object(&self, rule: &Rule, found: &Match, clause: &Range<usize>) -> Option<Range<usize>> {
        match rule.object {
            Object::None => Some(found.span.end - 1..found.span.end),
            Object::Captured => found.what.clone(),
            Object::CapturedName => found.name.clone(),
            kind => {
                let next =
                    self.times.iter().map(|time| time.tokens.start).find(|start| *start >= found.object);
                object::extent(&self.tokens, kind, found.object, clause.end, next)
            }
        }
    }

    /// Time that belongs to the statement.
    fn time(&self, kind: Kind, span: Range<usize>) -> Option<Time> {
        let time = self.times.iter().find(|time| span.contains(&time.tokens.start))?;
        Some(if kind == Kind::Plan { time.for_plan(self.turn.said_at) } else { time.clone() })
    }

    fn note(&self, time: &Time) -> Option<Note> {
        let after = time.tokens.end.checked_sub(1)?;
        Some((after, time.note()?))
    }

    /// Times of the event and of validity.
    fn dates(&self, kind: Kind, time: Option<&Time>) -> (Happened, Interval) {
        let said_at = Happened { at: self.turn.said_at, until: None };
        let named = time.filter(|time| time.form == Form::Days).and_then(Time::happened);
        let happened = named.unwrap_or(said_at);
        let start = time.and_then(Time::start).filter(|start| *start <= self.turn.said_at);
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

    /// End of the text: before a word that points at the listener or the conversation, and bounded.
    fn text_end(&self, least: usize, start: usize, most: usize) -> Option<usize> {
        const CUTS: &[&str] = &[
            ",", "and", "but", "which", "that", "who", "so", "because", "since", "when", "while", "to",
            "for", "with", "as", "like", "in", "on", "at", "from", "after", "before", "if", "or", "thanks",
        ];
        let (mut end, mut cut) = (most, least);
        for at in least..most {
            let word = self.word(at);
            if CUTS.contains(&word) && !self.is_in_quotes(start, at) {
                cut = at;
            }
            if self.is_hazard(at, start) || at - start >= MAX_TEXT_WORDS {
                end = cut;
                break;
            }
        }
        let trailing = |at: usize| {
            matches!(
                self.word(at),
                "," | "and" | "but" | "so" | "which" | "that" | "because" | "or" | "as" | "thanks"
            )
        };
        while end > least && trailing(end - 1) {
            end -= 1;
        }
        if self.is_in_quotes(start, end) {
            end = (end..self.tokens.len()).find(|at| self.word(*at) == "\"")? + 1;
        }
        (end > start).then_some(end)
    }

    fn is_in_quotes(&self, start: usize, end: usize) -> bool {
        (start..end).filter(|at| self.word(*at) == "\"").count() % 2 == 1
    }

    /// True for a word that refers to the listener, to what was said before, or to an unnamed person.
    fn is_hazard(&self, at: usize, start: usize) -> bool {
        let word = self.word(at);
        match word {
            "you" | "your" | "yours" | "these" | "those" | "here" | "above" | "below" | "if"
            | "hopefully" => true,
            "this" => !TIME_WORDS.contains(&self.word(at + 1)),
            "he" | "she" | "his" | "her" | "him" | "they" | "them" | "their" => !(start..at).any(|at| {
                super::words::KIN.contains(&self.word(at))
                    || self.tokens.get(at).is_some_and(|t| t.is_capital && t.word != "i" && t.word != "my")
            }),
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
            "family" if found.kin.is_some_and(|kin| PARTNERS.contains(&self.word(kin))) => {
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

/// Words of kinship that are a partner.
const PARTNERS: &[&str] = &[
    "wife",
    "husband",
    "spouse",
    "partner",
    "girlfriend",
    "boyfriend",
    "fiancé",
    "fiancée",
    "fiance",
    "fiancee",
];
