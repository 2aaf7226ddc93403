//! Structured content of a fact: who or what it is about, the relation that it states, and the slot that it fills.
//!
//! It is the triple (head, relation, tail) of a thought in Think-in-Memory (arXiv 2311.08719, section 3.1): the subject is
//! the head, the object the tail. A fact with an attribute is also a value of a state slot: the newest valid fact of one
//! subject and attribute is what is true now.

use super::name::Name;
use super::turn::Role;

/// Structured content of a fact.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// Subject (TiM: head): [`Statement::USER`], [`Statement::ASSISTANT`], or the name of another person or thing.
    pub subject: Name,
    /// Relation of the subject to the object, in words: `works at`.
    pub relation: Option<Name>,
    /// Object (TiM: tail), and the value of the slot: `Acme`.
    pub object: Option<Name>,
    /// Slot that the fact fills, if it fills one.
    pub attribute: Option<Attribute>,
    /// Confidence of the maker, 0 to 1.
    pub confidence: f64,
    /// Role of the speaker whose words are the evidence. Statements of the assistant are ranked apart from those of the
    /// user, since they may be invented (MECHANISMS 2.7, trap 7).
    pub said_by: Role,
}

impl Statement {
    /// Subject of facts about the user, where no name is known.
    pub const USER: &str = "user";
    /// Subject of facts about the assistant.
    pub const ASSISTANT: &str = "assistant";
    /// Tag of a memory that says that something no longer holds; followed by `:` and the attribute, if there is one.
    pub const ENDED_TAG: &str = "ended";

    /// Attribute whose value a memory with this tag ends; `None` for another tag.
    pub fn ended_attribute(tag: &Name) -> Option<Attribute> {
        tag.as_str().strip_prefix(Self::ENDED_TAG)?.strip_prefix(':').and_then(Attribute::new)
    }
}

/// Name of a state slot, in `snake_case`: `home`, `job`, `favorite_color`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Attribute(Name);

/// Number of values that a slot holds at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cardinality {
    /// One: another value replaces it.
    One,
    /// Any number: another value is added.
    Many,
}

impl Attribute {
    /// Maximum length, in bytes.
    pub const MAX_BYTES: usize = 48;

    /// Attributes that every maker knows, with their cardinality. Others are accepted and hold many values, apart from
    /// `favorite_...`, which holds one.
    pub const KNOWN: &[(&str, Cardinality)] = &[
        ("name", Cardinality::One),
        ("age", Cardinality::One),
        ("birthday", Cardinality::One),
        ("pronouns", Cardinality::One),
        ("home", Cardinality::One),
        ("origin", Cardinality::One),
        ("nationality", Cardinality::Many),
        ("job", Cardinality::One),
        ("employer", Cardinality::One),
        ("education", Cardinality::Many),
        ("partner", Cardinality::One),
        ("relationship_status", Cardinality::One),
        ("family", Cardinality::Many),
        ("friend", Cardinality::Many),
        ("pet", Cardinality::Many),
        ("possession", Cardinality::Many),
        ("language", Cardinality::Many),
        ("hobby", Cardinality::Many),
        ("likes", Cardinality::Many),
        ("dislikes", Cardinality::Many),
        ("diet", Cardinality::One),
        ("allergy", Cardinality::Many),
        ("health", Cardinality::Many),
        ("plan", Cardinality::Many),
        ("goal", Cardinality::Many),
    ];

    /// Attribute of this name: 1 to 48 bytes of `a` to `z`, `0` to `9` and `_`, beginning with a letter. `None` for
    /// another text.
    pub fn new(text: &str) -> Option<Self> {
        let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let begins_well = text.as_bytes().first().is_some_and(u8::is_ascii_lowercase);
        let is_well_formed = begins_well && text.len() <= Self::MAX_BYTES && text.bytes().all(is_word);
        is_well_formed.then(|| Name::new(text).ok().map(Self)).flatten()
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Number of values that the slot holds at one time.
    pub fn cardinality(&self) -> Cardinality {
        let known = Self::KNOWN.iter().find(|(name, _)| *name == self.as_str());
        match known {
            Some((_, cardinality)) => *cardinality,
            None if self.as_str().starts_with("favorite_") => Cardinality::One,
            None => Cardinality::Many,
        }
    }
}

impl std::fmt::Display for Attribute {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_snake_case() {
        for good in ["home", "favorite_color", "slot_2"] {
            assert_eq!(Attribute::new(good).map(|it| it.as_str().to_owned()).as_deref(), Some(good));
        }
        for bad in ["", "Home", "2nd", "_x", "a b", "é", &"a".repeat(49)] {
            assert_eq!(Attribute::new(bad), None, "{bad}");
        }
        assert!(Attribute::KNOWN.iter().all(|(name, _)| Attribute::new(name).is_some()));
    }

    #[test]
    fn only_listed_and_favorite_slots_hold_one_value() {
        let cardinality = |name| Attribute::new(name).map(|it| it.cardinality());
        assert_eq!(cardinality("home"), Some(Cardinality::One));
        assert_eq!(cardinality("favorite_color"), Some(Cardinality::One));
        assert_eq!(cardinality("likes"), Some(Cardinality::Many));
        assert_eq!(cardinality("anything"), Some(Cardinality::Many));
    }
}
