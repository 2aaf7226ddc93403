//! Contract of extraction with a language model: the schema of a reply and its parser. Pure.
//!
//! A reply names turns by the handles of its prompt and nothing else, so that it can add facts and can change nothing. A
//! reply that breaks a rule is refused whole, with a stable code; a fact that its evidence does not support is dropped.

use serde::Deserialize;
use serde_json::{Value, json};

use super::dates::day_range;
use super::{grounding, prompt};
use crate::domain::memory::Happened;
use crate::domain::name::Name;
use crate::domain::statement::{Attribute, Cardinality, Statement};
use crate::domain::time::{Interval, Timestamp};
use crate::domain::turn::Role;
use crate::model::language_model::ask::{BadReply, Contract};
use crate::think::candidate::{CandidateFact, SourceTurn};

/// Maximum number of facts in one reply.
pub const FACTS_AT_MOST: usize = 48;
/// Maximum length of a fact, in bytes.
pub const FACT_BYTES_AT_MOST: usize = 400;
/// Maximum length of the subject, relation and object of a fact, in bytes.
pub const PART_BYTES_AT_MOST: usize = 160;

/// Contract for one list of turns.
#[derive(Debug)]
pub struct FactContract<'a> {
    turns: &'a [SourceTurn],
}

/// Parsed reply.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Extraction {
    /// Candidate facts, in the order of the reply.
    pub candidates: Vec<CandidateFact>,
    /// Number of facts that their evidence does not support. They are left out.
    pub unsupported: u32,
}

impl<'a> FactContract<'a> {
    /// Contract for these turns, whose handles are `t1`, `t2`, ... in this order.
    pub fn new(turns: &'a [SourceTurn]) -> Self {
        Self { turns }
    }

    fn fact(&self, fact: &ReplyFact) -> Result<Option<CandidateFact>, BadReply> {
        let text = sentence(&fact.text)?;
        let evidence = self.evidence(&fact.evidence)?;
        let said: Vec<&SourceTurn> = evidence.iter().filter_map(|at| self.turns.get(*at)).collect();
        let (happened, valid) = times(fact, &said)?;
        let statement = statement(fact, &said)?;
        let texts: Vec<&str> = said.iter().map(|turn| turn.text.as_str()).collect();
        let moments: Vec<String> = said.iter().map(|turn| turn.zone.date(turn.said_at).to_string()).collect();
        let dates: Vec<&str> = [&fact.happened_on, &fact.valid_from, &fact.valid_until]
            .into_iter()
            .filter_map(|date| date.as_deref())
            .chain(moments.iter().map(String::as_str))
            .collect();
        let object = statement.object.as_ref().map(Name::as_str);
        if !grounding::is_grounded(text, object, &texts, &dates) {
            return Ok(None);
        }
        Ok(Some(CandidateFact {
            text: text.to_owned(),
            statement,
            is_ended: !fact.holds,
            happened,
            valid,
            evidence,
            is_confidential: fact.confidential,
        }))
    }

    /// Positions of the turns that the handles name.
    fn evidence(&self, handles: &[String]) -> Result<Vec<usize>, BadReply> {
        let mut positions = Vec::new();
        for handle in handles {
            let number = handle.strip_prefix('t').filter(|digits| !digits.starts_with('+'));
            let position = number.and_then(|digits| digits.parse::<usize>().ok()?.checked_sub(1));
            let position = position.filter(|position| *position < self.turns.len());
            let position =
                position.ok_or_else(|| bad("unknown_handle", "evidence names no turn t1, t2, ..."))?;
            if !positions.contains(&position) {
                positions.push(position);
            }
        }
        positions.sort_unstable();
        if positions.is_empty() {
            Err(bad("missing_field", "evidence must name a turn"))
        } else {
            Ok(positions)
        }
    }
}

impl Contract for FactContract<'_> {
    type Reply = Extraction;

    fn name(&self) -> &'static str {
        "facts"
    }

    fn prompt_version(&self) -> &'static str {
        prompt::VERSION
    }

    fn schema(&self) -> Value {
        let nullable = json!({"type": ["string", "null"]});
        let properties = json!({
            "text": {"type": "string"},
            "subject": {"type": "string"},
            "relation": nullable,
            "object": nullable,
            "attribute": nullable,
            "holds": {"type": "boolean"},
            "happened_on": nullable,
            "valid_from": nullable,
            "valid_until": nullable,
            "confidence": {"type": "number"},
            "evidence": {"type": "array", "items": {"type": "string"}},
            "confidential": {"type": "boolean"},
        });
        let required: Vec<&String> =
            properties.as_object().map(|all| all.keys().collect()).unwrap_or_default();
        json!({
            "type": "object",
            "additionalProperties": false,
            "required": ["facts"],
            "properties": {"facts": {"type": "array", "items": {
                "type": "object",
                "additionalProperties": false,
                "required": required,
                "properties": properties,
            }}},
        })
    }

    fn parse(&self, json: Value) -> Result<Extraction, BadReply> {
        let reply: Reply = serde_json::from_value(json).map_err(|error| {
            let is_missing = error.to_string().starts_with("missing field");
            bad(
                if is_missing { "missing_field" } else { "wrong_type" },
                "each fact needs the fields of the schema",
            )
        })?;
        if reply.facts.len() > FACTS_AT_MOST {
            return Err(bad("over_limit", "there are too many facts: keep the most important ones"));
        }
        let mut extraction = Extraction::default();
        for fact in &reply.facts {
            match self.fact(fact)? {
                Some(candidate) => extraction.candidates.push(candidate),
                None => extraction.unsupported += 1,
            }
        }
        consistent(&extraction.candidates)?;
        Ok(extraction)
    }
}

/// Reply as models write it. Fields that are not asked for are ignored.
#[derive(Debug, Deserialize)]
struct Reply {
    facts: Vec<ReplyFact>,
}

#[derive(Debug, Deserialize)]
struct ReplyFact {
    text: String,
    subject: String,
    #[serde(default)]
    relation: Option<String>,
    #[serde(default)]
    object: Option<String>,
    #[serde(default)]
    attribute: Option<String>,
    #[serde(default = "yes")]
    holds: bool,
    #[serde(default)]
    happened_on: Option<String>,
    #[serde(default)]
    valid_from: Option<String>,
    #[serde(default)]
    valid_until: Option<String>,
    #[serde(default = "likely")]
    confidence: f64,
    evidence: Vec<String>,
    #[serde(default)]
    confidential: bool,
}

fn yes() -> bool {
    true
}

/// Confidence where a model gives none.
fn likely() -> f64 {
    0.7
}

fn bad(code: &'static str, detail: &str) -> BadReply {
    BadReply { code, detail: detail.to_owned() }
}

fn sentence(text: &str) -> Result<&str, BadReply> {
    let text = text.trim();
    if text.is_empty() {
        Err(bad("missing_field", "text must not be empty"))
    } else if text.len() > FACT_BYTES_AT_MOST {
        Err(bad("over_limit", "a text is too long: one sentence of at most 30 words"))
    } else if text.chars().any(char::is_control) {
        Err(bad("wrong_type", "a text has control characters"))
    } else {
        Ok(text)
    }
}

fn statement(fact: &ReplyFact, said: &[&SourceTurn]) -> Result<Statement, BadReply> {
    let part = |text: &str| -> Result<Name, BadReply> {
        let text = text.trim();
        if text.len() > PART_BYTES_AT_MOST {
            return Err(bad("over_limit", "subject, relation and object are a few words each"));
        }
        Name::new(text).map_err(|_| bad("wrong_type", "subject, relation and object are plain texts"))
    };
    let optional = |text: &Option<String>| match text.as_deref().map(str::trim) {
        None | Some("" | "null") => Ok(None),
        Some(text) => part(text).map(Some),
    };
    if !(0.0..=1.0).contains(&fact.confidence) {
        return Err(bad("wrong_type", "confidence must be between 0 and 1"));
    }
    let by_user = said.iter().any(|turn| turn.role != Role::Assistant);
    Ok(Statement {
        subject: part(canonical_subject(&fact.subject))?,
        relation: optional(&fact.relation)?,
        object: optional(&fact.object)?,
        attribute: attribute(fact.attribute.as_deref())?,
        confidence: fact.confidence,
        said_by: if by_user { Role::User } else { Role::Assistant },
    })
}

fn canonical_subject(subject: &str) -> &str {
    let lower = subject.trim().to_lowercase();
    match lower.as_str() {
        "user" | "the user" | "i" | "me" | "speaker" => Statement::USER,
        "assistant" | "the assistant" => Statement::ASSISTANT,
        _ => subject,
    }
}

/// Spelling is forgiven (`Home`, `favorite color`); another word is not.
fn attribute(text: Option<&str>) -> Result<Option<Attribute>, BadReply> {
    match text.map(str::trim) {
        None | Some("" | "null" | "none") => Ok(None),
        Some(text) => {
            let word = text.to_lowercase().replace([' ', '-'], "_");
            let attribute = Attribute::new(&word);
            attribute
                .map(Some)
                .ok_or_else(|| bad("wrong_type", "attribute must be a slot in snake_case, or null"))
        }
    }
}

/// Time of the event, and interval of validity.
fn times(fact: &ReplyFact, said: &[&SourceTurn]) -> Result<(Happened, Interval), BadReply> {
    let last = said.iter().max_by_key(|turn| turn.said_at);
    let zone = last.map(|turn| turn.zone.clone()).unwrap_or_default();
    let range = |text: &Option<String>| match text.as_deref().map(str::trim) {
        None | Some("" | "null") => Ok(None),
        Some(text) => day_range(text, &zone)
            .map(Some)
            .ok_or_else(|| bad("wrong_type", "dates are YYYY-MM-DD, YYYY-MM or YYYY")),
    };
    let said_at = last.map_or(Timestamp::MIN, |turn| turn.said_at);
    let happened = match range(&fact.happened_on)? {
        Some((at, until)) => Happened { at, until: Some(until), offset: Some(zone.offset(at)) },
        None => Happened { at: said_at, until: None, offset: last.and_then(|turn| turn.utc_offset) },
    };
    let (from, until) = (range(&fact.valid_from)?, range(&fact.valid_until)?);
    let valid =
        Interval { start: from.map(|(first, _)| first), end: until.map(|(_, last)| last.plus_micros(1)) };
    match (valid.start, valid.end) {
        (Some(start), Some(end)) if end <= start => {
            Err(bad("contradictory", "valid_until lies before valid_from"))
        }
        _ => Ok((happened, valid)),
    }
}

/// Refuses two values of one slot that hold at the same time by the same evidence.
fn consistent(candidates: &[CandidateFact]) -> Result<(), BadReply> {
    let is_slot = |one: &&CandidateFact| {
        let cardinality = one.statement.attribute.as_ref().map(Attribute::cardinality);
        !one.is_ended && one.valid.end.is_none() && cardinality == Some(Cardinality::One)
    };
    let slots: Vec<&CandidateFact> = candidates.iter().filter(is_slot).collect();
    for (number, one) in slots.iter().enumerate() {
        let clashes = slots.iter().skip(number + 1).any(|other| {
            let (a, b) = (&one.statement, &other.statement);
            (&a.subject, &a.attribute) == (&b.subject, &b.attribute)
                && one.evidence == other.evidence
                && one.happened == other.happened
                && one.valid == other.valid
                && folded(a.object.as_ref()) != folded(b.object.as_ref())
        });
        if clashes {
            return Err(bad("contradictory", "one slot has two values at the same time: which one holds?"));
        }
    }
    Ok(())
}

fn folded(name: Option<&Name>) -> String {
    name.map(|name| name.as_str().to_lowercase()).unwrap_or_default()
}

#[cfg(test)]
#[path = "contract_tests.rs"]
pub(in crate::think) mod tests;
