//! Vertices and edges of the graph in memory, pure, and the view of a query on them.
//!
//! The rules of a view are those of [`View::hides`], with two exceptions: a vertex has no text and no tags, so that the
//! filter of a view is not evaluated, and no record time. Whoever has them judges the memories of an answer.

use std::collections::HashMap;
use std::hash::Hash;

use crate::domain::group::GroupKey;
use crate::domain::id::MemoryId;
use crate::domain::memory::{Kind, Visibility};
use crate::domain::name::Name;
use crate::domain::scope::Scope;
use crate::domain::time::Timestamp;
use crate::index::{ValidTime, View};
use crate::store::NodeRecord;

/// Vertex of the graph.
#[derive(Clone, Debug)]
pub(super) enum Vertex {
    /// Memory.
    Memory(MemoryVertex),
    /// Entity, a hub of the memories about it.
    Entity {
        /// Group of the memories.
        key: GroupKey,
        /// Number of its memories.
        members: u32,
    },
}

/// Memory as a vertex.
#[derive(Clone, Copy, Debug)]
pub(super) struct MemoryVertex {
    pub(super) id: MemoryId,
    /// Attributes; `None` while only an edge to the memory is known.
    pub(super) known: Option<Attributes>,
}

/// Attributes of a memory by which views hide it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Attributes {
    pub(super) kind: Kind,
    /// Number of its [`Facet`].
    pub(super) facet: u32,
    /// Time before which it is hidden from a view of an earlier time: start of validity, and time of a turn.
    pub(super) begins: Timestamp,
    /// End of its validity.
    pub(super) ends: Option<Timestamp>,
    /// End of its recall.
    pub(super) expires: Option<Timestamp>,
}

/// Attributes that few combinations exist of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Facet {
    pub(super) visibility: Visibility,
    pub(super) audience: Vec<Name>,
    pub(super) agent: Option<Name>,
    pub(super) app: Option<Name>,
    pub(super) run: Option<Name>,
}

impl Facet {
    pub(super) fn of(record: &NodeRecord) -> Self {
        Self {
            visibility: record.visibility,
            audience: record.audience.clone(),
            agent: record.agent.clone(),
            app: record.app.clone(),
            run: record.run.clone(),
        }
    }
}

impl Attributes {
    pub(super) fn of(record: &NodeRecord, facet: u32) -> Self {
        let said = if record.kind == Kind::Turn { record.happened_at } else { Timestamp::MIN };
        Self {
            kind: record.kind,
            facet,
            begins: record.valid.start.unwrap_or(Timestamp::MIN).max(said),
            ends: record.valid.end,
            expires: record.expires_at,
        }
    }
}

/// Edge of the graph, directed as it is stored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Edge {
    pub(super) kind: EdgeKind,
    /// Strength, 0 to 1.
    pub(super) weight: f32,
}

/// Kind of an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum EdgeKind {
    /// Link, with the number of its relation.
    Link(u32),
    /// From a memory to its evidence.
    Evidence,
    /// From a memory to an entity that it is about.
    About,
}

/// View of a query on a graph.
#[derive(Clone, Debug)]
pub struct GraphView {
    /// Time of the query: memories that have expired by then are hidden.
    pub now: Timestamp,
    /// Valid time, and what it hides.
    pub valid: ValidTime,
    /// True if only shared memories are visible.
    pub shared_only: bool,
    /// Conversation partner to whom memories must be tellable; `None` for the owner's own view.
    pub partner: Option<Name>,
    /// Agent to which memories must belong, if one is given.
    pub agent: Option<Name>,
    /// App to which memories must belong, if one is given.
    pub app: Option<Name>,
    /// Run to which memories must belong, if one is given.
    pub run: Option<Name>,
}

impl From<&View> for GraphView {
    /// The rules of a view but for its filter and its record time.
    fn from(view: &View) -> Self {
        Self {
            now: view.now,
            valid: view.valid,
            shared_only: view.shared_only,
            partner: view.partner.clone(),
            agent: None,
            app: None,
            run: None,
        }
    }
}

impl GraphView {
    /// The view of the memories of a scope: those of its owner that have its other ids.
    #[must_use]
    pub fn within(mut self, scope: &Scope) -> Self {
        use crate::domain::scope::OwnerKind;
        let owner = scope.owner().map(|owner| owner.kind);
        let id = |kind: OwnerKind| scope.id_of(kind).filter(|_| owner != Some(kind)).cloned();
        (self.agent, self.app, self.run) = (id(OwnerKind::Agent), id(OwnerKind::App), id(OwnerKind::Run));
        self
    }

    pub(super) fn lets_pass(&self, facet: &Facet) -> bool {
        let told = |partner: &Name| facet.audience.is_empty() || facet.audience.contains(partner);
        let has = |wanted: &Option<Name>, id: &Option<Name>| wanted.is_none() || wanted == id;
        (!self.shared_only || facet.visibility == Visibility::Shared)
            && self.partner.as_ref().is_none_or(told)
            && has(&self.agent, &facet.agent)
            && has(&self.app, &facet.app)
            && has(&self.run, &facet.run)
    }

    /// True if the times of a memory do not hide it.
    pub(super) fn is_in_time(&self, memory: &Attributes) -> bool {
        let has_ended = memory.ends.is_some_and(|end| end <= self.valid.at);
        let begins_later = memory.begins > self.valid.at;
        memory.expires.is_none_or(|at| at > self.now)
            && !(self.valid.hides_ended && has_ended)
            && !(self.valid.hides_later && begins_later)
    }
}

/// Values with numbers, each stored once.
#[derive(Clone, Debug)]
pub(super) struct Interned<T> {
    values: Vec<T>,
    numbers: HashMap<T, u32>,
}

impl<T> Default for Interned<T> {
    fn default() -> Self {
        Self { values: Vec::new(), numbers: HashMap::new() }
    }
}

impl<T: Clone + Eq + Hash> Interned<T> {
    pub(super) fn number_of(&mut self, value: &T) -> u32 {
        if let Some(number) = self.numbers.get(value) {
            return *number;
        }
        let number = u32::try_from(self.values.len()).unwrap_or(u32::MAX);
        self.values.push(value.clone());
        self.numbers.insert(value.clone(), number);
        number
    }

    pub(super) fn get(&self, number: u32) -> Option<&T> {
        self.values.get(usize::try_from(number).ok()?)
    }

    pub(super) fn find(&self, value: &T) -> Option<u32> {
        self.numbers.get(value).copied()
    }

    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    pub(super) fn values(&self) -> &[T] {
        &self.values
    }
}
