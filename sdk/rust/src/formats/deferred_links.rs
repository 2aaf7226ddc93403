//! Memories whose links could not be set when they were added, because what they link to comes later in the file.
//!
//! Invariant: a memory is ready when all that it links to has come; what is ready is given in the order in which it
//! became so, which depends on the file alone. So a repeated import makes the same edits under the same keys.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use uuid::Uuid;

use super::SourceLocation;
use crate::wire::Link;

/// The most links that wait: a hundred bytes or so each.
const MAX_LINKS_WAITING: usize = 500_000;

/// A memory with links that are still to be set.
#[derive(Clone, Debug)]
pub(super) struct Linking {
    /// Where its batch begins.
    pub(super) location: SourceLocation,
    /// What the key of the edit begins with.
    pub(super) key: String,
    /// Its new id.
    pub(super) memory: Uuid,
    /// All of its links, to old ids.
    pub(super) links: Vec<Link>,
    /// How many of them were set when it was added.
    pub(super) set: usize,
}

/// The memories that wait.
#[derive(Debug, Default)]
pub(super) struct DeferredLinks {
    waiting: BTreeMap<u64, (Linking, BTreeSet<Uuid>)>,
    by_target: HashMap<Uuid, Vec<u64>>,
    ready: VecDeque<u64>,
    links: usize,
    kept: u64,
}

impl DeferredLinks {
    /// Keeps a memory until everything in `missing` has come. False if there is no room for it.
    pub(super) fn keep(&mut self, linking: Linking, missing: BTreeSet<Uuid>) -> bool {
        if self.links + linking.links.len() > MAX_LINKS_WAITING {
            return false;
        }
        let number = self.kept;
        self.kept += 1;
        self.links += linking.links.len();
        for target in &missing {
            self.by_target.entry(*target).or_default().push(number);
        }
        if missing.is_empty() {
            self.ready.push_back(number);
        }
        self.waiting.insert(number, (linking, missing));
        true
    }

    /// Notes that a memory has come.
    pub(super) fn arrived(&mut self, id: Uuid) {
        for number in self.by_target.remove(&id).unwrap_or_default() {
            if let Some((_, missing)) = self.waiting.get_mut(&number)
                && missing.remove(&id)
                && missing.is_empty()
            {
                self.ready.push_back(number);
            }
        }
    }

    /// The memory that has been ready for longest.
    pub(super) fn next_ready(&self) -> Option<&Linking> {
        self.waiting.get(self.ready.front()?).map(|(linking, _)| linking)
    }

    /// Lets go of what [`DeferredLinks::next_ready`] gave.
    pub(super) fn ready_is_done(&mut self) {
        let done = self.ready.pop_front().and_then(|number| self.waiting.remove(&number));
        self.links -= done.map_or(0, |(linking, _)| linking.links.len());
    }

    /// All that still wait, in the order in which they came.
    pub(super) fn into_rest(self) -> impl Iterator<Item = Linking> {
        self.waiting.into_values().map(|(linking, _)| linking)
    }
}
