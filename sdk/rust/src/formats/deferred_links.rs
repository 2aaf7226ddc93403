//! Deferred links of an import: links whose targets come later in the file than their memory.
//!
//! Invariant: a memory is ready when all its targets are imported. Ready memories are returned in the order in which
//! they became ready, which depends only on the file. So a repeated import makes the same edits under the same keys.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use uuid::Uuid;

use super::SourceLocation;
use crate::wire::Link;

/// Maximum number of deferred links, of about a hundred bytes each.
const MAX_LINKS_WAITING: usize = 500_000;

/// Memory with links still to be set.
#[derive(Clone, Debug)]
pub(super) struct Linking {
    /// Beginning of its batch in the file.
    pub(super) location: SourceLocation,
    /// New id of the memory.
    pub(super) memory: Uuid,
    /// All links of the memory, to old ids.
    pub(super) links: Vec<Link>,
    /// Number of links set when the memory was added.
    pub(super) set: usize,
    /// True if the memory was in the store before, perhaps with its links.
    pub(super) was_there: bool,
}

/// Memories with deferred links.
#[derive(Debug, Default)]
pub(super) struct DeferredLinks {
    waiting: BTreeMap<u64, (Linking, BTreeSet<Uuid>)>,
    by_target: HashMap<Uuid, Vec<u64>>,
    ready: VecDeque<u64>,
    links: usize,
    kept: u64,
}

impl DeferredLinks {
    /// Keeps a memory until all of `missing` are imported. Returns false if the limit is reached.
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

    /// Records that a memory is imported.
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

    /// Memory that became ready first.
    pub(super) fn next_ready(&self) -> Option<&Linking> {
        self.waiting.get(self.ready.front()?).map(|(linking, _)| linking)
    }

    /// Removes the memory returned by [`DeferredLinks::next_ready`].
    pub(super) fn ready_is_done(&mut self) {
        let done = self.ready.pop_front().and_then(|number| self.waiting.remove(&number));
        self.links -= done.map_or(0, |(linking, _)| linking.links.len());
    }

    /// Remaining memories, in the order of the file.
    pub(super) fn into_rest(self) -> impl Iterator<Item = Linking> {
        self.waiting.into_values().map(|(linking, _)| linking)
    }
}
