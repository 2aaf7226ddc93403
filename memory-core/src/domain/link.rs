//! Links: what a memory points to. They belong to the version that they start from, so that they are undone with it and
//! carry its provenance; what they point to is a memory of the same partition, whichever version it is in.
//!
//! Invariant: a memory points to another at most once by one relation, and never to itself.

use std::collections::HashSet;

use super::id::MemoryId;
use super::name::Name;

/// What a memory points to, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    /// The other memory.
    pub to: MemoryId,
    /// How this one stands to it, in the application's word: `supports`, `contradicts`, `follows`.
    pub relation: Name,
    /// How close the two are, 0 to 1.
    pub weight: f32,
}

impl Link {
    /// The weight of a link of which nobody has said anything.
    pub const DEFAULT_WEIGHT: f32 = 1.0;
}

/// What is wrong with a link of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadLink {
    /// Its weight is not between 0 and 1.
    #[error("must be between 0 and 1")]
    Weight,
    /// A link before it goes to the same memory by the same relation.
    #[error("is there already: a memory links to another once by each relation")]
    Twice,
    /// It goes to the memory that it starts from.
    #[error("must be another memory")]
    ToItself,
}

impl BadLink {
    /// What of the link it is about, as it follows the link in a path: nothing for the whole of it.
    pub fn part(self) -> &'static str {
        match self {
            Self::Weight => ".weight",
            Self::ToItself => ".to",
            Self::Twice => "",
        }
    }
}

/// The first bad link of a list, by its place in it. `from` is the memory that they start from, where it is known.
pub fn first_bad(from: Option<MemoryId>, links: &[Link]) -> Option<(usize, BadLink)> {
    let mut seen = HashSet::new();
    links.iter().enumerate().find_map(|(at, link)| {
        if !(0.0..=1.0).contains(&link.weight) {
            Some((at, BadLink::Weight))
        } else if from == Some(link.to) {
            Some((at, BadLink::ToItself))
        } else if !seen.insert((link.to, &link.relation)) {
            Some((at, BadLink::Twice))
        } else {
            None
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(to: u128, relation: &str, weight: f32) -> Link {
        Link {
            to: MemoryId(uuid::Uuid::from_u128(to)),
            relation: Name::new(relation).expect("a name"),
            weight,
        }
    }

    #[test]
    fn the_first_bad_link_is_named() {
        let good = [link(1, "supports", 0.0), link(1, "follows", 1.0), link(2, "supports", 0.5)];
        assert_eq!(first_bad(None, &good), None);
        assert_eq!(first_bad(Some(good[2].to), &good), Some((2, BadLink::ToItself)));
        for weight in [-0.1, 1.1, f32::NAN, f32::INFINITY] {
            assert_eq!(
                first_bad(None, &[link(1, "a", 1.0), link(2, "a", weight)]),
                Some((1, BadLink::Weight))
            );
        }
        let twice = [link(1, "a", 1.0), link(2, "a", 1.0), link(1, "a", 0.5)];
        assert_eq!(first_bad(None, &twice), Some((2, BadLink::Twice)));
    }
}
