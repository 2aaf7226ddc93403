//! Levels of digests, after MemoryBank (arXiv 2305.10250, section 3.1): events and personality of a day, events of all days,
//! and the portrait. A digest is a memory of kind `digest` with a document name, which is its identity.

use jiff::civil::Date;

use super::group::GroupKey;
use super::memory::{DocumentName, Kind, Memory};
use super::name::Name;

/// Level of a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Events of one day.
    EventsOfDay,
    /// Events of all days.
    EventsOfAll,
    /// Traits and mood that one day shows.
    PersonalityOfDay,
    /// One statement of the portrait.
    Portrait,
}

impl Level {
    /// All levels.
    pub const ALL: [Level; 4] =
        [Level::EventsOfDay, Level::EventsOfAll, Level::PersonalityOfDay, Level::Portrait];
    /// Namespace of the statements of the portrait, in which an owner may add memories.
    pub const PORTRAIT_NAMESPACE: &'static str = "digests/portrait";
    /// Key of the digest of all days.
    pub const ALL_DAYS: &'static str = "all";
    /// Tag of a digest that was made without a language model, of sentences as they were said.
    pub const EXTRACTIVE_TAG: &'static str = "extractive";

    /// Name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Level::EventsOfDay => "events_day",
            Level::EventsOfAll => "events_all",
            Level::PersonalityOfDay => "personality_day",
            Level::Portrait => "portrait",
        }
    }

    /// Level with this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str() == text)
    }

    /// Namespace of the digests of this level.
    pub const fn namespace(self) -> &'static str {
        match self {
            Level::EventsOfDay | Level::EventsOfAll => "digests/events",
            Level::PersonalityOfDay => "digests/personality",
            Level::Portrait => Self::PORTRAIT_NAMESPACE,
        }
    }

    /// Document name of a digest of this level: the key is a date, [`Level::ALL_DAYS`], or the id of a statement.
    pub fn document(self, key: &str) -> Option<DocumentName> {
        let namespace = Name::new(self.namespace()).ok()?;
        Some(DocumentName { namespace, key: Name::new(key).ok()? })
    }

    /// Level of a memory by its name, with the day that it is about if it is about one; `None` for a memory with another name.
    /// The kind does not matter: a document that a caller gave the name of a digest stands in its place.
    pub fn of(memory: &Memory) -> Option<(Self, Option<Date>)> {
        let document = memory.document.as_ref()?;
        let date = || document.key.as_str().parse::<Date>().ok();
        match document.namespace.as_str() {
            "digests/events" if document.key.as_str() == Self::ALL_DAYS => Some((Level::EventsOfAll, None)),
            "digests/events" => Some((Level::EventsOfDay, Some(date()?))),
            "digests/personality" => Some((Level::PersonalityOfDay, Some(date()?))),
            Self::PORTRAIT_NAMESPACE => Some((Level::Portrait, None)),
            _ => None,
        }
    }

    /// True if a memory is a digest of a level, by its kind and namespace.
    pub fn is_one(memory: &Memory) -> bool {
        let document = memory.document.as_ref().filter(|_| memory.kind == Kind::Digest);
        document
            .is_some_and(|name| Self::ALL.iter().any(|level| level.namespace() == name.namespace.as_str()))
    }

    /// Group of all digests of this level.
    pub fn group(self) -> Option<GroupKey> {
        GroupKey::digest(self.as_str())
    }

    /// Group of the digest with this key.
    pub fn group_of(self, key: &str) -> Option<GroupKey> {
        GroupKey::digest(&format!("{}/{key}", self.as_str()))
    }

    /// Groups of a digest; none for another memory.
    pub fn groups(memory: &Memory) -> Vec<GroupKey> {
        let Some((level, _)) = Self::of(memory) else { return Vec::new() };
        let key = memory.document.as_ref().and_then(|document| level.group_of(document.key.as_str()));
        level.group().into_iter().chain(key).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_levels_are_parsed_back_and_name_documents() {
        for level in Level::ALL {
            assert_eq!(Level::parse(level.as_str()), Some(level));
            assert!(level.document("2023-05-08").is_some());
        }
        assert_eq!(Level::parse("events"), None);
        let key = |level: Level| level.group_of("2023-05-08").expect("a key").as_str().to_owned();
        assert_eq!(key(Level::EventsOfDay), "digest/events_day/2023-05-08");
        assert_ne!(key(Level::EventsOfDay), key(Level::PersonalityOfDay));
    }
}
