//! The view of a query: the rules by which memories are visible to it, and their definition on one memory. An index
//! evaluates the same rules inside its search, so that a hidden memory takes no candidate's place.

use std::sync::Arc;

use super::forgetting::Forgetting;
use crate::domain::digest::Level;
use crate::domain::filter::Filter;
use crate::domain::grant::Selection;
use crate::domain::id::GrantId;
use crate::domain::memory::{Kind, Memory, Visibility};
use crate::domain::name::Name;
use crate::domain::time::Timestamp;

/// The visibility of memories to one query.
#[derive(Clone, Debug)]
pub struct View {
    /// The filter that memories must pass.
    pub filter: Filter,
    /// True to hide the digests of days and the portrait besides, which repeat what other memories say.
    pub hides_digests: bool,
    /// The query's time: memories that have expired by then are hidden.
    pub now: Timestamp,
    /// True if the query does not name the owner: only shared memories are visible then, and those that `opened` says.
    pub shared_only: bool,
    /// Memories of another owner that are visible under grants, in the place of all shared ones. It has a meaning with
    /// `shared_only` alone.
    pub opened: Option<Arc<Opened>>,
    /// Valid time, and what it hides.
    pub valid: ValidTime,
    /// Record time: memories created later are hidden, and a memory with a version recorded later is *revised*. An index
    /// has only present versions: it lets a revised memory pass whatever its fields are, and the caller judges the
    /// version of that time by [`View::hides`]. `None` for the present versions.
    pub known_at: Option<Timestamp>,
    /// Conversation partner: memories with an audience that does not name the partner are hidden. `None` for the owner's
    /// own view.
    pub partner: Option<Name>,
    /// Forgetting: the policy of the partition's owner, as the query changes it. `None` for the policy of the index, under which
    /// nothing is hidden; cold memories are not searched.
    pub forgetting: Option<Forgetting>,
}

/// Memories of an owner that are visible to a query which does not name it.
#[derive(Clone, Debug, PartialEq)]
pub struct Opened {
    /// Selections of the grants that the query has, the oldest first.
    pub grants: Vec<(GrantId, Selection)>,
    /// Shared memories that are visible besides: those that pass this filter. `None` for none.
    pub shared: Option<Filter>,
}

impl Opened {
    /// True if a memory is visible.
    pub fn opens(&self, memory: &Memory) -> bool {
        self.opens_as_shared(memory) || self.grant_for(memory).is_some()
    }

    /// The grant through which a memory is read: the oldest that selects it; `None` if it is visible without one.
    pub fn grant_for(&self, memory: &Memory) -> Option<GrantId> {
        if self.opens_as_shared(memory) {
            return None;
        }
        self.grants.iter().find(|(_, selection)| selection.selects(memory)).map(|(id, _)| *id)
    }

    fn opens_as_shared(&self, memory: &Memory) -> bool {
        let shared = self.shared.as_ref().filter(|_| memory.visibility == Visibility::Shared);
        shared.is_some_and(|filter| filter.matches(memory))
    }
}

/// Valid time of a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValidTime {
    /// The time.
    pub at: Timestamp,
    /// True to hide memories whose validity has ended by it.
    pub hides_ended: bool,
    /// True to hide what lies after it: memories whose validity begins later, and turns said later.
    pub hides_later: bool,
}

/// Rule that hides a memory, the most general first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hidden {
    /// It is neither shared nor opened by a grant, and the query does not name its owner.
    NotShared,
    /// It may not be told to the partner.
    NotForPartner,
    /// It was recorded after the record time.
    NotRecorded,
    /// It has expired.
    Expired,
    /// It is forgotten.
    Forgotten,
    /// It is not valid at the valid time.
    NotValid,
    /// It does not pass the filter.
    Filtered,
}

impl ValidTime {
    /// The present state: ended validity is hidden, what lies in the future is not.
    pub const fn present(now: Timestamp) -> Self {
        Self { at: now, hides_ended: true, hides_later: false }
    }

    /// True if the rule hides this memory.
    pub fn hides(&self, memory: &Memory) -> bool {
        let has_ended = memory.valid.end.is_some_and(|end| end <= self.at);
        let begins_later = memory.valid.start.is_some_and(|start| start > self.at);
        let is_said_later = memory.kind == Kind::Turn && memory.happened.at > self.at;
        self.hides_ended && has_ended || self.hides_later && (begins_later || is_said_later)
    }
}

impl View {
    /// The owner's own view of the present state, without a filter.
    pub fn present(now: Timestamp) -> Self {
        Self {
            filter: Filter::everything(),
            hides_digests: false,
            now,
            shared_only: false,
            opened: None,
            valid: ValidTime::present(now),
            known_at: None,
            partner: None,
            forgetting: None,
        }
    }

    /// True if a memory may be seen by a query that does not name its owner.
    fn opens(&self, memory: &Memory) -> bool {
        match &self.opened {
            Some(opened) => opened.opens(memory),
            None => memory.visibility == Visibility::Shared,
        }
    }

    /// True if a memory is hidden because it is forgotten. That belongs to the memory and not to a version.
    fn forgets(&self, memory: &Memory) -> bool {
        self.forgetting.as_ref().is_some_and(|forgetting| forgetting.hides(memory, self.now))
    }

    /// The first rule that hides this version of a memory; `None` if it is visible. Under a record time the version must
    /// be the one of that time.
    pub fn hides(&self, memory: &Memory) -> Option<Hidden> {
        let rules = [
            (Hidden::NotShared, self.shared_only && !self.opens(memory)),
            (Hidden::NotForPartner, !memory.may_be_told_to(self.partner.as_ref())),
            (Hidden::NotRecorded, self.known_at.is_some_and(|known_at| memory.created_at > known_at)),
            (Hidden::Expired, memory.expires_at.is_some_and(|at| at <= self.now)),
            (Hidden::Forgotten, self.forgets(memory)),
            (Hidden::NotValid, self.valid.hides(memory)),
            (Hidden::Filtered, !self.filter.matches(memory) || self.hides_digests && Level::is_one(memory)),
        ];
        rules.into_iter().find_map(|(rule, applies)| applies.then_some(rule))
    }
}
