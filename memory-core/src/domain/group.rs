//! Groups of memories: the sets that thinking looks at together. A memory is in a group by a key that is computed from
//! its content: the entity that it is about, the slot that it fills, or the bucket of its vector.

use super::name::Name;
use super::statement::Attribute;

/// Key of a group within a partition.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupKey(Name);

impl GroupKey {
    /// Memories about an entity, whose name is normalised (`text::entity`).
    pub fn entity(normalised: &str) -> Option<Self> {
        Self::of("entity", normalised)
    }

    /// Facts that fill one slot of an entity, whose name is normalised.
    pub fn slot(normalised: &str, attribute: &Attribute) -> Option<Self> {
        Self::of("slot", &format!("{attribute}/{normalised}"))
    }

    /// Groups of a fact about an entity, whose name is normalised, that fills or ends a slot if it has an attribute.
    pub fn of_fact(normalised: &str, attribute: Option<&Attribute>) -> Vec<Self> {
        let slot = attribute.and_then(|attribute| Self::slot(normalised, attribute));
        Self::entity(normalised).into_iter().chain(slot).collect()
    }

    /// Thoughts in one bucket of a hash. `hash` names its parameters.
    pub fn bucket(hash: &str, bucket: u32) -> Option<Self> {
        Self::of("bucket", &format!("{hash}/{bucket}"))
    }

    /// Digests of one level, or the digest of a level with one key.
    pub fn digest(rest: &str) -> Option<Self> {
        Self::of("digest", rest)
    }

    /// The key as stored. `None` for a text that is not a [`Name`].
    pub fn parse(text: &str) -> Option<Self> {
        Name::new(text).ok().map(Self)
    }

    /// True for a group of memories about an entity.
    pub fn is_entity(&self) -> bool {
        self.as_str().starts_with("entity/")
    }

    /// The key as stored.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Cuts a long text at a character boundary, so that every entity has a key.
    fn of(kind: &str, rest: &str) -> Option<Self> {
        let room = Name::MAX_BYTES.saturating_sub(kind.len() + 1);
        let end = (0..=room.min(rest.len())).rev().find(|end| rest.is_char_boundary(*end)).unwrap_or(0);
        let rest = rest.get(..end).filter(|rest| !rest.trim().is_empty())?;
        Self::parse(&format!("{kind}/{rest}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_kinds_differ_and_long_names_are_cut() {
        let home = Attribute::new("home").expect("an attribute");
        assert_eq!(GroupKey::entity("ann").expect("key").as_str(), "entity/ann");
        assert_eq!(GroupKey::slot("ann", &home).expect("key").as_str(), "slot/home/ann");
        assert_eq!(GroupKey::bucket("e1-b32-s7-t0", 5).expect("key").as_str(), "bucket/e1-b32-s7-t0/5");
        let long = GroupKey::entity(&"é".repeat(500)).expect("key");
        assert!(long.as_str().len() <= Name::MAX_BYTES);
        assert_eq!(GroupKey::entity(" "), None);
    }
}
