//! New ids of imported turns and memories, by their ids in the store that they were exported from.

use std::collections::{BTreeSet, HashMap};

use uuid::Uuid;

use crate::wire::{Link, Problem};

/// New ids by old ids. Empty for formats without ids.
#[derive(Debug, Default)]
pub(super) struct NewIds(HashMap<Uuid, Uuid>);

impl NewIds {
    pub(super) fn insert(&mut self, old: Uuid, new: Uuid) {
        self.0.insert(old, new);
    }

    /// Replaces old ids by new ones; returns the number of unresolved ones.
    pub(super) fn rename(&self, ids: &mut Vec<Uuid>) -> usize {
        let before = ids.len();
        *ids = ids.iter().filter_map(|id| self.0.get(id).copied()).collect();
        before - ids.len()
    }

    /// Links whose targets are imported, with new ids. Documents of two stores may have become one, which is linked
    /// once.
    pub(super) fn known(&self, links: &[Link]) -> Vec<Link> {
        let mut known: Vec<Link> = Vec::with_capacity(links.len());
        for link in links {
            let Some(&to) = self.0.get(&link.to) else { continue };
            if !known.iter().any(|other| is_same(other, to, &link.relation)) {
                known.push(Link { to, ..link.clone() });
            }
        }
        known
    }

    /// Targets that are not imported, once per link.
    pub(super) fn missing<'l>(&self, links: &'l [Link]) -> impl Iterator<Item = Uuid> + use<'_, 'l> {
        links.iter().map(|link| link.to).filter(|to| !self.0.contains_key(to))
    }

    /// Forgets the ids of `sent` that the server says do not exist; all of them if it names none.
    pub(super) fn forget(&mut self, problem: &Problem, sent: &BTreeSet<Uuid>) {
        let named: BTreeSet<Uuid> = sent.iter().copied().filter(|id| names(problem, *id)).collect();
        let gone = if named.is_empty() { sent } else { &named };
        self.0.retain(|_, new| !gone.contains(new));
    }
}

/// True if the text of the problem has this id.
pub(super) fn names(problem: &Problem, id: Uuid) -> bool {
    problem.detail.contains(&id.to_string())
}

/// The links that a memory has, and those of `more` that it has not.
pub(super) fn joined(present: &[Link], more: Vec<Link>) -> Vec<Link> {
    let mut links = present.to_vec();
    for link in more {
        if !links.iter().any(|other| is_same(other, link.to, &link.relation)) {
            links.push(link);
        }
    }
    links
}

fn is_same(link: &Link, to: Uuid, relation: &str) -> bool {
    link.to == to && link.relation == relation
}
