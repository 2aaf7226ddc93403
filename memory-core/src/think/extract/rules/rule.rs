//! Rule: pattern, kind of object, slot and relation. The tables of rules are data, one file per family of statements.

/// Confidence of a rule whose words leave hardly another reading: `my name is`.
pub(super) const SURE: f64 = 0.9;
/// Confidence of a rule that is usually right: `I live in`.
pub(super) const LIKELY: f64 = 0.8;
/// Confidence of a rule with other readings: `I love`.
pub(super) const FAIR: f64 = 0.7;
/// Confidence of a rule whose slot or duration is open: `I'm thinking about`.
pub(super) const WEAK: f64 = 0.6;

/// Form of the object after the pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Object {
    /// No object: `I got married`.
    None,
    /// Place: `Oslo`, `a flat near the station in Oslo`.
    Place,
    /// Capitalised name: `Acme`.
    Name,
    /// Noun phrase, up to a preposition or verb: `a red bike`.
    Thing,
    /// Noun phrase or activity, with prepositions: `playing chess with friends`.
    Activity,
    /// Rest of the clause.
    Rest,
    /// Number with its unit.
    Number,
    /// The class that the pattern captured (`<pet>`, `<job>`, `<thing>`).
    Captured,
    /// The captured name.
    CapturedName,
}

/// Temporal form of the statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Holds from the time it names, else from the time of the utterance.
    State,
    /// Happened once.
    Event,
    /// Is to happen: times without a year are future.
    Plan,
    /// Held once, and no longer: it ends its slot.
    Ended,
    /// Was so at a time that the text need not name: `I grew up in`.
    Past,
}

/// Rule of extraction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    pub(super) pattern: &'static str,
    pub(super) object: Object,
    /// Slot; empty for none. `{what}` stands for the captured words.
    pub(super) attribute: &'static str,
    /// Relation in the third person; `{what}` and `{kin}` stand for the captured words.
    pub(super) relation: &'static str,
    pub(super) kind: Kind,
    pub(super) confidence: f64,
    /// Text of the fact where it is not the clause: `{owner}`, `{kin}`, `{name}` and `{what}` are replaced.
    pub(super) text: &'static str,
}

/// Rule whose text is the clause.
pub(super) const fn rule(
    pattern: &'static str,
    object: Object,
    attribute: &'static str,
    relation: &'static str,
    kind: Kind,
    confidence: f64,
) -> Rule {
    Rule { pattern, object, attribute, relation, kind, confidence, text: "" }
}

impl Rule {
    /// The rule with a text of its own.
    pub(super) const fn says(self, text: &'static str) -> Self {
        Self { text, ..self }
    }
}
