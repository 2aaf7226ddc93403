//! Links: directed, weighted relations between memories. A link belongs to a version of its source memory, so that it
//! is reverted with the version and has its provenance. Its target is a memory of the same partition, in any version.
//!
//! Invariant: a memory has at most one link to a target by one relation, and none to itself.

use std::collections::{HashMap, HashSet};

use super::id::MemoryId;
use super::name::Name;

/// Link from a memory to another.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    /// Target.
    pub to: MemoryId,
    /// Relation of the source to the target, named by the application: `supports`, `contradicts`, `follows`.
    pub relation: Name,
    /// Strength of the relation, 0 to 1.
    pub weight: f32,
    /// Reason of the relation in words, at most [`Link::REASON_BYTES_AT_MOST`] bytes; `None` if none was given.
    pub reason: Option<String>,
}

impl Link {
    /// Weight of a link when the request gives none.
    pub const DEFAULT_WEIGHT: f32 = 1.0;
    /// Maximum length of a reason, in bytes.
    pub const REASON_BYTES_AT_MOST: usize = 512;

    /// Relation of a memory to the one that replaced it, and by that ended its validity. When the last target of such a
    /// link is erased, the store removes the end of the validity in the same step, in the present version: what ended it
    /// is not known any more.
    pub const SUPERSEDED_BY: &str = "superseded_by";
    /// Relation of a memory to the merged one that took its place, and by that ended its recall. When the last target of
    /// such a link is erased, the store removes the expiry in the same step, in the present version.
    pub const MERGED_INTO: &str = "merged_into";
    /// Relation of a memory that was dropped from recall to the one that speaks against it. An erasure of the target ends
    /// the expiry as that of [`Link::MERGED_INTO`] does.
    pub const DROPPED_FOR: &str = "dropped_for";
    /// Relation of a memory to one that it replaced: the reverse of [`Link::SUPERSEDED_BY`].
    pub const SUPERSEDES: &str = "supersedes";
    /// Relation between two memories that cannot both be true, while it is undecided which one is. A link of either one
    /// is enough: recall returns them together.
    pub const CONTRADICTS: &str = "contradicts";
    /// Relation of a note to the memory of the turn that it is made of. The two are one result of a recall.
    pub const ANNOTATES: &str = "annotates";
    /// Relation of a memory to another that says the same.
    pub const SUPPORTED_BY: &str = "supported_by";
}

/// True if one of the links leads to a memory that replaced their source.
pub fn is_superseded(links: &[Link]) -> bool {
    links.iter().any(|link| link.relation.as_str() == Link::SUPERSEDED_BY)
}

/// True if one of the links leads to a memory for which their source is no longer recalled.
pub fn is_out_of_recall(links: &[Link]) -> bool {
    links.iter().any(|link| [Link::MERGED_INTO, Link::DROPPED_FOR].contains(&link.relation.as_str()))
}

/// Violation in a list of links.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadLink {
    /// Reason that is too long.
    #[error("has more than {} bytes", Link::REASON_BYTES_AT_MOST)]
    Reason,
    /// Weight outside 0 to 1.
    #[error("must be between 0 and 1")]
    Weight,
    /// Same target and relation as an earlier link of the list.
    #[error("is there already: a memory links to another once by each relation")]
    Twice,
    /// Link from a memory to itself.
    #[error("must be another memory")]
    ToItself,
}

impl BadLink {
    /// Field of the link in violation, as a suffix of the link's path; empty for the link as a whole.
    pub fn part(self) -> &'static str {
        match self {
            Self::Reason => ".reason",
            Self::Weight => ".weight",
            Self::ToItself => ".to",
            Self::Twice => "",
        }
    }
}

/// Replaces the targets that have another id in `kept`. Of links that then have the same target and relation, the first
/// stays.
pub fn redirect(links: &mut Vec<Link>, kept: &HashMap<MemoryId, MemoryId>) {
    if links.iter().all(|link| !kept.contains_key(&link.to)) {
        return;
    }
    let mut seen = HashSet::new();
    links.retain_mut(|link| {
        link.to = kept.get(&link.to).copied().unwrap_or(link.to);
        seen.insert((link.to, link.relation.clone()))
    });
}

/// First violation in a list, with its index. `from` is the source memory, where it is known.
pub fn first_bad(from: Option<MemoryId>, links: &[Link]) -> Option<(usize, BadLink)> {
    let mut seen = HashSet::new();
    links.iter().enumerate().find_map(|(at, link)| {
        if !(0.0..=1.0).contains(&link.weight) {
            Some((at, BadLink::Weight))
        } else if link.reason.as_ref().is_some_and(|reason| reason.len() > Link::REASON_BYTES_AT_MOST) {
            Some((at, BadLink::Reason))
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
            reason: None,
        }
    }

    #[test]
    fn redirected_links_stay_unique_by_target_and_relation() {
        let kept = HashMap::from([(link(1, "a", 0.0).to, link(2, "a", 0.0).to)]);
        let mut links = vec![link(1, "a", 0.25), link(3, "a", 0.5), link(2, "a", 0.75), link(1, "b", 1.0)];
        redirect(&mut links, &kept);
        assert_eq!(links, [link(2, "a", 0.25), link(3, "a", 0.5), link(2, "b", 1.0)]);
    }

    #[test]
    fn the_first_violation_is_returned_with_its_index() {
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
