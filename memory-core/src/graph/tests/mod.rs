//! Tests of the graph and its algorithms against naive versions, on random graphs loaded in random orders.

mod naive;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use uuid::Uuid;

use self::naive::{Naive, edges, is_visible, naive_costs};
use super::*;
use crate::domain::group::GroupKey;
use crate::domain::id::MemoryId;
use crate::domain::link::Link;
use crate::domain::memory::{Kind, Visibility};
use crate::domain::name::Name;
use crate::domain::time::{Interval, Timestamp};
use crate::index::{ValidTime, View};
use crate::store::NodeRecord;

const NOW: Timestamp = Timestamp::from_micros(1_000);

fn id(number: usize) -> MemoryId {
    MemoryId(Uuid::from_u128(number as u128 + 1))
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn record(number: usize) -> NodeRecord {
    NodeRecord {
        id: id(number),
        kind: Kind::Fact,
        visibility: Visibility::Owner,
        agent: None,
        app: None,
        run: None,
        audience: Vec::new(),
        happened_at: NOW,
        valid: Interval::default(),
        expires_at: None,
        links: Vec::new(),
        evidence: Vec::new(),
        entities: Vec::new(),
    }
}

fn link(to: usize, relation: &str, weight: f32) -> Link {
    Link { to: id(to), relation: name(relation), weight, reason: None }
}

fn view() -> GraphView {
    GraphView::from(&View::present(NOW))
}

fn graph_of<'a>(records: impl IntoIterator<Item = &'a NodeRecord>) -> PartitionGraph {
    let mut graph = PartitionGraph::default();
    records.into_iter().for_each(|record| graph.put(record));
    graph
}

/// Random records: links by two relations, evidence, entities, and some hidden ones.
fn records(most: usize) -> impl Strategy<Value = Vec<NodeRecord>> {
    let edges = proptest::collection::vec((0..most, 0..3_u8, 0..9_u8), 0..4);
    let one = (edges, proptest::collection::vec(0..3_u8, 0..2), 0..8_u8);
    proptest::collection::vec(one, 2..most).prop_map(|all| {
        let count = all.len();
        let record_of =
            |(number, (edges, entities, hidden)): (usize, (Vec<(usize, u8, u8)>, Vec<u8>, u8))| {
                let mut record = record(number);
                for (to, relation, weight) in
                    edges.into_iter().filter(|(to, ..)| *to < count && *to != number)
                {
                    match relation {
                        0 => record.evidence.push(id(to)),
                        relation => {
                            let relation = if relation == 1 { "supports" } else { "follows" };
                            let new = link(to, relation, f32::from(weight) / 8.0);
                            if !record
                                .links
                                .iter()
                                .any(|link| link.to == new.to && link.relation == new.relation)
                            {
                                record.links.push(new);
                            }
                        }
                    }
                }
                record.entities =
                    entities.iter().filter_map(|entity| GroupKey::entity(&format!("e{entity}"))).collect();
                record.entities.sort();
                record.entities.dedup();
                record.evidence.sort();
                record.evidence.dedup();
                match hidden {
                    0 => record.expires_at = Some(NOW),
                    1 => record.valid.end = Some(NOW),
                    _ => {}
                }
                record
            };
        all.into_iter().enumerate().map(record_of).collect()
    })
}

fn search(hops: u8) -> NeighbourSearch<'static> {
    NeighbourSearch { hops, relations: None, follow: Follow::Both, limit: usize::MAX }
}

fn shuffled(records: &[NodeRecord], seed: u64) -> Vec<&NodeRecord> {
    let mut order: Vec<&NodeRecord> = records.iter().collect();
    order.sort_by_key(|record| xxhash_rust::xxh3::xxh3_64_with_seed(record.id.0.as_bytes(), seed));
    order
}

proptest! {
    #[test]
    fn neighbours_are_those_of_a_search_by_brute_force(records in records(12), start in 0..12_usize, hops in 1..=3_u8) {
        let from = id(start % records.len());
        let (graph, view) = (graph_of(&records), view());
        let near = neighbours(&graph.seen_by(&view), from, &search(hops));
        let mut expected = naive_costs(&records, from, hops);
        expected.remove(&from);
        let found: BTreeMap<MemoryId, (f64, u8)> =
            near.found.iter().map(|it| (it.id, (f64::from(it.weight), it.hops))).collect();
        prop_assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
        for (id, (cost, hops)) in expected {
            let (weight, found_hops) = found[&id];
            prop_assert!((1.0 / cost - weight).abs() < 1e-6);
            prop_assert_eq!(found_hops, hops);
        }
        let order = near.found.windows(2).all(|two| (two[1].weight, two[0].id) < (two[0].weight, two[1].id) || two[1].weight < two[0].weight);
        prop_assert!(order, "by weight, then by id: {:?}", near.found);
    }

    #[test]
    fn a_path_is_the_cheapest_one_and_leads_through_visible_memories(
        records in records(12), ends in (0..12_usize, 0..12_usize), hops in 1..=6_u8
    ) {
        let (from, to) = (id(ends.0 % records.len()), id(ends.1 % records.len()));
        prop_assume!(from != to);
        let (graph, view) = (graph_of(&records), view());
        let path = shortest_path(&graph.seen_by(&view), from, to, hops);
        // The ends may be hidden.
        let mut shown = records.clone();
        for record in shown.iter_mut().filter(|record| [from, to].contains(&record.id)) {
            (record.expires_at, record.valid.end) = (None, None);
        }
        match naive_costs(&shown, from, hops).get(&to) {
            None => prop_assert_eq!(path, Path { is_complete: true, ..Path::default() }),
            Some((cost, edges)) => {
                prop_assert!((1.0 / cost - f64::from(path.weight)).abs() < 1e-6);
                prop_assert_eq!(path.edges.len(), usize::from(*edges));
                prop_assert_eq!((path.memories.first(), path.memories.last()), (Some(&from), Some(&to)));
                for (two, edge) in path.memories.windows(2).zip(&path.edges) {
                    prop_assert!([(edge.from, edge.to), (edge.to, edge.from)].contains(&(two[0], two[1])));
                }
                let hidden = shown.iter().filter(|record| !is_visible(record)).map(|record| record.id);
                prop_assert!(hidden.into_iter().all(|id| !path.memories.contains(&id)));
            }
        }
    }

    #[test]
    fn answers_do_not_depend_on_the_order_of_loading(records in records(14), seed in any::<u64>()) {
        let (one, view) = (graph_of(&records), view());
        let mut other = graph_of(shuffled(&records, seed));
        // Gone and back again, and put twice.
        other.erase(records[0].id);
        other = { let mut again = other; shuffled(&records, seed ^ 1).into_iter().for_each(|it| again.put(it)); again };
        prop_assert_eq!(one.listed(), other.listed());
        let (one, other) = (one.seen_by(&view), other.seen_by(&view));
        let seeds = [(records[0].id, 0.7), (records[1].id, 0.3)];
        let walked = WalkSettings { hops: 3, visited_at_most: 5, ..WalkSettings::default() };
        prop_assert_eq!(walk(&one, &seeds, &walked), walk(&other, &seeds, &walked));
        let ranked = PageRankSettings { pushes_at_most: 20, ..PageRankSettings::default() };
        prop_assert_eq!(personalised_pagerank(&one, &seeds, &ranked), personalised_pagerank(&other, &seeds, &ranked));
        prop_assert_eq!(clusters(&one, 10, 10), clusters(&other, 10, 10));
        prop_assert_eq!(neighbours(&one, records[0].id, &search(3)), neighbours(&other, records[0].id, &search(3)));
        let ends = (records[0].id, records[1].id);
        prop_assert_eq!(shortest_path(&one, ends.0, ends.1, 6), shortest_path(&other, ends.0, ends.1, 6));
    }

    #[test]
    fn a_graph_after_changes_is_the_graph_of_what_is_left(records in records(14), changed in records(14), erased in 0..14_usize) {
        let mut graph = graph_of(&records);
        let mut left: BTreeMap<MemoryId, NodeRecord> = records.iter().map(|it| (it.id, it.clone())).collect();
        for record in changed {
            graph.put(&record);
            left.insert(record.id, record);
        }
        graph.erase(id(erased));
        left.remove(&id(erased));
        // As the store does: what led to the erased memory is changed, too.
        for record in left.values_mut() {
            record.links.retain(|link| link.to != id(erased));
            record.evidence.retain(|from| *from != id(erased));
            graph.put(record);
        }
        let anew = graph_of(left.values());
        prop_assert_eq!(graph.listed(), anew.listed());
        prop_assert_eq!((graph.memories(), graph.edges()), (anew.memories(), anew.edges()));
    }

    #[test]
    fn clusters_are_connected_and_hold_each_visible_memory_once(records in records(14)) {
        let (graph, view) = (graph_of(&records), view());
        let found = clusters(&graph.seen_by(&view), usize::MAX, usize::MAX);
        let mut seen = BTreeSet::new();
        let edges = edges(&records);
        for cluster in &found.clusters {
            prop_assert!(cluster.size > 1 && cluster.size == cluster.memories.len());
            let members: BTreeSet<MemoryId> = cluster.memories.iter().copied().collect();
            prop_assert!(members.iter().all(|id| seen.insert(*id)), "in two clusters");
            let mut reached = BTreeSet::from([cluster.memories[0]]);
            loop {
                let near = edges.iter().filter(|(_, _, weight)| *weight > 0.0);
                let near = near.flat_map(|(one, other, _)| [(*one, *other), (*other, *one)]);
                let more: Vec<MemoryId> = near
                    .filter(|(one, other)| reached.contains(one) && members.contains(other))
                    .map(|(_, other)| other)
                    .filter(|other| !reached.contains(other))
                    .collect();
                if more.is_empty() { break }
                reached.extend(more);
            }
            prop_assert_eq!(reached, members);
        }
        let visible = records.iter().filter(|record| is_visible(record)).count();
        prop_assert_eq!(seen.len() + found.unclustered, visible);
        prop_assert!(records.iter().all(|record| is_visible(record) || !seen.contains(&record.id)));
    }

    #[test]
    fn activation_is_that_of_a_walk_by_brute_force(records in records(10), hops in 1..=3_u8) {
        let (graph, view) = (graph_of(&records), view());
        let seeds = [(records[0].id, 3.0), (records[1].id, 1.0), (records[0].id, f32::NAN), (id(99), 1.0)];
        let settings = WalkSettings { hops, decay: 0.5, ..WalkSettings::default() };
        let found = walk(&graph.seen_by(&view), &seeds, &settings);
        let expected = Naive::of(&records).walk(&seeds, hops);
        for (id, score) in &found {
            let exact = expected.get(id).copied().unwrap_or(0.0);
            prop_assert!((f64::from(*score) - exact).abs() < 1e-5, "{} {} {}", id, score, exact);
        }
        prop_assert!(expected.iter().all(|(id, score)| *score < 1e-5 || found.iter().any(|(found, _)| found == id)));
        prop_assert!(found.windows(2).all(|two| two[0].1 >= two[1].1));
        prop_assert!(found.iter().map(|(_, score)| score).sum::<f32>() <= 1.0, "no cycle adds activation");
    }

    #[test]
    fn a_page_rank_is_that_of_power_iteration(records in records(10)) {
        let (graph, view) = (graph_of(&records), view());
        let seeds = [(records[0].id, 3.0), (records[1].id, 1.0)];
        let settings = PageRankSettings { restart: 0.5, tolerance: 0.0, pushes_at_most: usize::MAX };
        let found = personalised_pagerank(&graph.seen_by(&view), &seeds, &settings);
        let expected = Naive::of(&records).page_rank(&seeds, 0.5);
        for (id, exact) in expected {
            let score = found.iter().find(|(found, _)| *found == id).map_or(0.0, |(_, score)| f64::from(*score));
            prop_assert!((score - exact).abs() < 1e-5, "{} {} {}", id, score, exact);
        }
    }
}

#[test]
fn a_direct_link_is_better_than_two_and_a_weak_one_is_the_last_choice() {
    let mut all: Vec<NodeRecord> = (0..4).map(record).collect();
    all[0].links = vec![link(1, "a", 1.0), link(2, "a", 0.9), link(3, "a", 0.0)];
    all[1].links = vec![link(2, "a", 1.0)];
    let (graph, view) = (graph_of(&all), view());
    let seen = graph.seen_by(&view);
    let path = shortest_path(&seen, id(0), id(2), 6);
    assert_eq!((path.memories, path.weight), (vec![id(0), id(2)], 0.9));
    assert_eq!(shortest_path(&seen, id(3), id(0), 1).weight, 0.0);
    assert_eq!(shortest_path(&seen, id(3), id(0), 1).memories, [id(3), id(0)]);
    let near: Vec<MemoryId> = neighbours(&seen, id(0), &search(1)).found.iter().map(|it| it.id).collect();
    assert_eq!(near, [id(1), id(2), id(3)]);
    assert_eq!(shortest_path(&seen, id(0), id(0), 1).weight, 1.0);
}

#[test]
fn relations_and_directions_select_edges() {
    let mut all: Vec<NodeRecord> = (0..4).map(record).collect();
    all[0].links = vec![link(1, "supports", 1.0), link(2, "follows", 1.0)];
    all[0].evidence = vec![id(3)];
    all[2].links = vec![link(0, "supports", 0.5)];
    let (graph, view) = (graph_of(&all), view());
    let found = |relation: Option<&str>, follow| {
        let relations = relation.map(|relation| vec![name(relation)]);
        let search = NeighbourSearch { hops: 1, relations: relations.as_deref(), follow, limit: 9 };
        let found = neighbours(&graph.seen_by(&view), id(0), &search).found;
        found.into_iter().map(|it| it.id).collect::<Vec<_>>()
    };
    assert_eq!(found(Some("supports"), Follow::Both), [id(1), id(2)]);
    assert_eq!(found(Some("supports"), Follow::Out), [id(1)]);
    assert_eq!(found(None, Follow::In), [id(2)]);
    assert_eq!(found(Some(DERIVED_FROM), Follow::Out), [id(3)]);
    assert_eq!(found(Some("unheard of"), Follow::Both), []);
}

#[test]
fn two_cliques_with_a_weak_link_are_two_clusters() {
    let mut all: Vec<NodeRecord> = (0..10).map(record).collect();
    for one in 0..10 {
        for other in (one + 1..10).filter(|other| (one < 5) == (*other < 5)) {
            all[one].links.push(link(other, "a", 1.0));
        }
    }
    all[4].links.push(link(5, "a", 0.25));
    let (graph, view) = (graph_of(&all), view());
    let found = clusters(&graph.seen_by(&view), 10, 3);
    assert_eq!((found.total, found.unclustered), (2, 0));
    assert_eq!(found.clusters.iter().map(|cluster| cluster.size).collect::<Vec<_>>(), [5, 5]);
    assert_eq!(found.clusters[0].memories, [id(0), id(1), id(2)]);
}

#[test]
fn a_large_entity_is_no_way_and_a_small_one_is() {
    let entity = |name: &str| GroupKey::entity(name).unwrap();
    let mut all: Vec<NodeRecord> = (0..MEMBERS_AT_MOST as usize + 1).map(record).collect();
    all.iter_mut().for_each(|record| record.entities = vec![entity("everything")]);
    all[0].entities.push(entity("ann"));
    all[1].entities.push(entity("ann"));
    let (graph, view) = (graph_of(&all), view());
    let seen = graph.seen_by(&view);
    let found = walk(&seen, &[(id(0), 1.0)], &WalkSettings::default());
    assert_eq!(found, [(id(0), 0.125), (id(1), 0.125)], "half of half, divided by two");
    assert!(neighbours(&seen, id(0), &search(3)).found.is_empty(), "entities are for walks alone");
}

proptest! {
    #[test]
    fn a_graph_hides_what_a_view_hides(
        times in (proptest::option::of(0..5_i64), proptest::option::of(0..5_i64), proptest::option::of(0..5_i64), 0..5_i64),
        query in (0..5_i64, 0..5_i64, any::<bool>(), any::<bool>()),
        who in (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()),
    ) {
        let at = Timestamp::from_micros;
        let mut record = record(0);
        record.valid = Interval { start: times.0.map(at), end: times.1.map(at) };
        (record.expires_at, record.happened_at) = (times.2.map(at), at(times.3));
        record.kind = if who.0 { Kind::Turn } else { Kind::Fact };
        record.visibility = if who.1 { Visibility::Shared } else { Visibility::Owner };
        record.audience = if who.2 { vec![name("bob")] } else { Vec::new() };
        let mut memory = crate::testing::fixtures::Fixtures::default().fact("a").memory;
        (memory.kind, memory.visibility, memory.audience) = (record.kind, record.visibility, record.audience.clone());
        (memory.valid, memory.expires_at, memory.happened.at) = (record.valid, record.expires_at, record.happened_at);
        let view = View {
            valid: ValidTime { at: at(query.0), hides_ended: query.2, hides_later: query.3 },
            shared_only: who.1 && who.3,
            partner: who.3.then(|| name("ann")),
            ..View::present(at(query.1))
        };
        let graph = graph_of([&record]);
        prop_assert_eq!(graph.seen_by(&GraphView::from(&view)).has(id(0)), view.hides(&memory).is_none());
    }
}
