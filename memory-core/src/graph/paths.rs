//! Shortest paths over links and evidence, pure: the neighbours of a memory within some hops, and the path between two.
//!
//! An edge of weight w costs 1/w, and a path the sum. The weight of a path is the reciprocal of its cost: edges in series
//! weaken each other as conductances do, so that one link of weight 0.9 is better than two of weight 1. An edge of weight 0
//! costs infinitely much: it is the last choice. The best path is the cheapest one; of equal ones, the one with the fewest
//! hops, then with the smallest ids. Search by layers of hops (Bellman-Ford), so that the bound on hops is exact; the path
//! between two memories is searched from both ends.

use std::cmp::Ordering;
use std::collections::HashMap;

use foldhash::fast::RandomState;
use petgraph::graph::{EdgeIndex, NodeIndex};

use super::node::{Edge, EdgeKind};
use super::partition_graph::{DERIVED_FROM, GraphEdge, Seen};
use crate::domain::id::MemoryId;
use crate::domain::memory::Kind;
use crate::domain::name::Name;

/// Edges that one search follows at most.
pub const EDGES_FOLLOWED_AT_MOST: usize = 500_000;

/// Directions of edges that a search follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Follow {
    /// Edges in their direction.
    Out,
    /// Edges against their direction.
    In,
    /// All edges.
    #[default]
    Both,
}

/// Edges and extent of a search for neighbours.
#[derive(Clone, Debug)]
pub struct NeighbourSearch<'a> {
    /// Maximum number of hops.
    pub hops: u8,
    /// Relations of links to follow; `None` for all links and evidence. [`DERIVED_FROM`] names evidence.
    pub relations: Option<&'a [Name]>,
    /// Directions to follow.
    pub follow: Follow,
    /// Maximum number of neighbours.
    pub limit: usize,
}

/// Memory near another one.
#[derive(Clone, Debug, PartialEq)]
pub struct Neighbour {
    /// Memory.
    pub id: MemoryId,
    /// Kind.
    pub kind: Kind,
    /// Hops of the best path to it.
    pub hops: u8,
    /// Weight of the best path.
    pub weight: f32,
    /// Last edge of the best path.
    pub edge: GraphEdge,
}

/// Memories near another one, best first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Neighbours {
    /// Neighbours, by weight and then by id.
    pub found: Vec<Neighbour>,
    /// Number of all neighbours that the search met, those beyond the limit too.
    pub total: usize,
    /// False if the search ended at [`EDGES_FOLLOWED_AT_MOST`].
    pub is_complete: bool,
}

/// Path between two memories.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Path {
    /// Memories from one end to the other; empty if there is no path.
    pub memories: Vec<MemoryId>,
    /// Edge between each two of them.
    pub edges: Vec<GraphEdge>,
    /// Weight of the path: 1 from a memory to itself, 0 if there is no path.
    pub weight: f32,
    /// False if the search ended at [`EDGES_FOLLOWED_AT_MOST`].
    pub is_complete: bool,
}

/// Memories that a view lets through near `from`, which itself may be hidden.
pub fn neighbours(seen: &Seen<'_>, from: MemoryId, search: &NeighbourSearch<'_>) -> Neighbours {
    let Some(start) = seen.graph.index_of(from) else { return Neighbours::default() };
    let mut layers = Layers::new(seen, search.follow, search.relations);
    let reached = layers.from(start, search.hops, None);
    let mut best: ByVertex<(u8, Label)> = HashMap::default();
    for (layer, hops) in reached.iter().zip(0_u8..).skip(1) {
        best.extend(layer.iter().map(|(index, label)| (*index, (hops, *label))));
    }
    let mut ranked: Vec<(f64, MemoryId, u8, Label)> = best
        .into_iter()
        .filter_map(|(index, (hops, label))| Some((label.cost, seen.graph.memory_at(index)?.id, hops, label)))
        .collect();
    ranked.sort_unstable_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
    let total = ranked.len();
    let described = ranked.into_iter().take(search.limit).filter_map(|(cost, id, hops, label)| {
        let edge = seen.graph.described(label.edge?)?;
        Some(Neighbour { id, kind: seen.graph.kind_of(id)?, hops, weight: weight_of(cost), edge })
    });
    Neighbours { found: described.collect(), total, is_complete: layers.is_complete }
}

/// Best path of at most `max_hops` edges in any direction, through memories that a view lets through. Its ends may be hidden.
pub fn shortest_path(seen: &Seen<'_>, from: MemoryId, to: MemoryId, max_hops: u8) -> Path {
    let none = Path { is_complete: true, ..Path::default() };
    let (Some(start), Some(end)) = (seen.graph.index_of(from), seen.graph.index_of(to)) else { return none };
    if start == end {
        return Path { memories: vec![from], weight: 1.0, ..none };
    }
    let mut layers = Layers::new(seen, Follow::Both, None);
    let ahead = layers.from(start, max_hops.div_ceil(2), Some(end));
    let behind = layers.from(end, max_hops / 2, Some(start));
    let is_complete = layers.is_complete;
    let Some((meeting, hops_ahead, hops_behind, cost)) = cheapest_meeting(seen, &ahead, &behind) else {
        return Path { is_complete, ..Path::default() };
    };
    let mut indices = trace(&ahead, meeting, hops_ahead);
    indices.reverse();
    let mut steps: Vec<(NodeIndex, Option<EdgeIndex>)> = indices;
    let mut later = trace(&behind, meeting, hops_behind);
    // Each step of the second half has the edge that leads on to the end.
    let mut edges: Vec<EdgeIndex> = steps.iter().filter_map(|(_, edge)| *edge).collect();
    edges.extend(later.iter().filter_map(|(_, edge)| *edge));
    steps.extend(later.drain(..).skip(1));
    let memories = steps.iter().filter_map(|(index, _)| Some(seen.graph.memory_at(*index)?.id)).collect();
    let edges = edges.into_iter().filter_map(|edge| seen.graph.described(edge)).collect();
    Path { memories, edges, weight: weight_of(cost), is_complete }
}

#[expect(clippy::cast_possible_truncation, reason = "a weight of single precision")]
fn weight_of(cost: f64) -> f32 {
    (1.0 / cost) as f32
}

/// Best path to a vertex with as many hops as its layer has.
#[derive(Clone, Copy, Debug)]
struct Label {
    cost: f64,
    previous: NodeIndex,
    /// Last edge; `None` at the start.
    edge: Option<EdgeIndex>,
}

/// Vertices by hops: those that are reached more cheaply than with fewer hops.
type Reached = Vec<ByVertex<Label>>;

/// Map of vertices. Their numbers are the graph's own, so that nobody can choose them to collide.
type ByVertex<T> = HashMap<NodeIndex, T, RandomState>;

/// Search by layers.
struct Layers<'a> {
    seen: &'a Seen<'a>,
    follow: Follow,
    /// Kinds of edges to follow; `None` for all between memories.
    kinds: Option<Vec<EdgeKind>>,
    edges_left: usize,
    is_complete: bool,
}

impl<'a> Layers<'a> {
    fn new(seen: &'a Seen<'a>, follow: Follow, relations: Option<&[Name]>) -> Self {
        let kinds = relations.map(|relations| {
            let links = relations.iter().filter_map(|name| seen.graph.relation(name)).map(EdgeKind::Link);
            let evidence = relations.iter().any(|name| name.as_str() == DERIVED_FROM);
            links.chain(evidence.then_some(EdgeKind::Evidence)).collect()
        });
        Self { seen, follow, kinds, edges_left: EDGES_FOLLOWED_AT_MOST, is_complete: true }
    }

    fn follows(&self, edge: &Edge, leaves: bool) -> bool {
        let direction = match self.follow {
            Follow::Out => leaves,
            Follow::In => !leaves,
            Follow::Both => true,
        };
        let kind =
            self.kinds.as_ref().map_or(edge.kind != EdgeKind::About, |kinds| kinds.contains(&edge.kind));
        direction && kind
    }

    /// Layers of up to `hops` edges around `start`. `end` may be entered although it is hidden.
    fn from(&mut self, start: NodeIndex, hops: u8, end: Option<NodeIndex>) -> Reached {
        let first = Label { cost: 0.0, previous: start, edge: None };
        let mut best: ByVertex<f64> = ByVertex::from_iter([(start, 0.0)]);
        let mut reached: Reached = vec![ByVertex::from_iter([(start, first)])];
        let mut frontier = vec![(start, 0.0)];
        for _ in 0..hops {
            let layer = self.next_layer(&mut frontier, &best, end);
            if layer.is_empty() {
                break;
            }
            frontier.extend(layer.iter().map(|(index, label)| (*index, label.cost)));
            best.extend(frontier.iter().copied());
            reached.push(layer);
        }
        reached
    }

    fn next_layer(
        &mut self,
        frontier: &mut Vec<(NodeIndex, f64)>,
        best: &ByVertex<f64>,
        end: Option<NodeIndex>,
    ) -> ByVertex<Label> {
        // The order decides what is left out at the bound.
        frontier.sort_unstable_by(|(one, cost), (other, other_cost)| {
            cost.total_cmp(other_cost).then_with(|| self.id(*one).cmp(&self.id(*other)))
        });
        let mut layer: ByVertex<Label> = HashMap::default();
        let mut around = Vec::new();
        for (index, cost) in frontier.drain(..) {
            around.clear();
            around.extend(self.seen.graph.around(index).take(self.edges_left.saturating_add(1)));
            let Some(left) = self.edges_left.checked_sub(around.len()) else {
                self.is_complete = false;
                continue;
            };
            self.edges_left = left;
            for (next, edge_index, edge, leaves) in &around {
                let label = Label {
                    cost: cost + 1.0 / f64::from(edge.weight),
                    previous: index,
                    edge: Some(*edge_index),
                };
                let is_better = best.get(next).is_none_or(|known| label.cost < *known);
                if !is_better || !self.follows(edge, *leaves) {
                    continue;
                }
                match layer.get(next) {
                    Some(other) if self.order(&label, other) != Ordering::Less => {}
                    Some(_) => drop(layer.insert(*next, label)),
                    None if end == Some(*next) || self.seen.has_at(*next) => drop(layer.insert(*next, label)),
                    None => {}
                }
            }
        }
        layer
    }

    fn id(&self, index: NodeIndex) -> Option<MemoryId> {
        self.seen.graph.memory_at(index).map(|memory| memory.id)
    }

    /// Order of two labels of one vertex in one layer: by cost, then by what the store has, not by when it was loaded.
    fn order(&self, one: &Label, other: &Label) -> Ordering {
        let key = |label: &Label| {
            let edge = label.edge.and_then(|edge| self.seen.graph.described(edge));
            edge.map(|edge| (edge.edge_type, edge.relation, edge.from))
        };
        one.cost
            .total_cmp(&other.cost)
            .then_with(|| self.id(one.previous).cmp(&self.id(other.previous)))
            .then_with(|| key(one).cmp(&key(other)))
    }
}

/// The vertex at which two searches meet with the least cost, with the hops of each and the cost.
fn cheapest_meeting(
    seen: &Seen<'_>,
    ahead: &Reached,
    behind: &Reached,
) -> Option<(NodeIndex, usize, usize, f64)> {
    let mut best: Option<(f64, usize, Option<MemoryId>, usize, NodeIndex)> = None;
    for (hops_ahead, layer) in ahead.iter().enumerate() {
        for (index, label) in layer {
            for (hops_behind, other) in behind.iter().enumerate() {
                let Some(second) = other.get(index) else { continue };
                let id = seen.graph.memory_at(*index).map(|memory| memory.id);
                let (cost, hops) = (label.cost + second.cost, hops_ahead + hops_behind);
                let is_better = best.is_none_or(|(least, fewest, first, most_ahead, _)| {
                    let order = cost.total_cmp(&least).then(hops.cmp(&fewest)).then(id.cmp(&first));
                    order.then(hops_ahead.cmp(&most_ahead)) == Ordering::Less
                });
                if is_better {
                    best = Some((cost, hops, id, hops_ahead, *index));
                }
            }
        }
    }
    best.map(|(cost, hops, _, hops_ahead, index)| (index, hops_ahead, hops - hops_ahead, cost))
}

/// Vertices from `last` back to the start of a search, each with the edge by which it was reached.
fn trace(reached: &Reached, last: NodeIndex, hops: usize) -> Vec<(NodeIndex, Option<EdgeIndex>)> {
    let mut steps = Vec::with_capacity(hops + 1);
    let mut index = last;
    for layer in reached.iter().take(hops + 1).rev() {
        let Some(label) = layer.get(&index) else { break };
        steps.push((index, label.edge));
        index = label.previous;
    }
    steps
}
