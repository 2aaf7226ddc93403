//! Rules of `Index::associations`: for every implementation bounds and order; for an exact one the reference's edges.

use std::sync::Arc;

use super::{PARTITION, Subject, fact};
use crate::domain::id::MemoryId;
use crate::index::{Association, IndexError, MAX_ASSOCIATED, MAX_ASSOCIATION_SEEDS};
use crate::store::Indexed;
use crate::testing::corpus;
use crate::testing::memory_source::MemorySource;
use crate::testing::reference;
use crate::testing::rng::Rng;

fn some(rng: &mut Rng, all: &[Indexed], count: usize) -> Vec<MemoryId> {
    let mut ids: Vec<MemoryId> = (0..count).map(|_| rng.pick(all).memory.id).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

fn is_close(one: f64, other: f64) -> bool {
    (one - other).abs() <= 1e-5 * one.abs().max(1.0)
}

/// Edges equal those of the reference, also after updates.
pub async fn associations_equal_the_reference(subject: &Subject<'_>, seed: u64) {
    let mut rng = Rng::new(seed);
    let source = Arc::new(MemorySource::default());
    let all: Vec<Indexed> = (0..60).map(|number| corpus::memory(&mut rng, number)).collect();
    source.write(PARTITION, all, Vec::new());
    let index = subject.over(&source);
    for step in 0..5 {
        let all = source.memories(PARTITION);
        let (seeds, among) = (some(&mut rng, &all, 6), some(&mut rng, &all, 20));
        let edges = index.associations(PARTITION, &seeds, &among).await.unwrap();
        let is_cold = |one: &&Indexed| reference::is_cold(&one.memory);
        let mut named =
            all.iter().filter(|one| seeds.contains(&one.memory.id) || among.contains(&one.memory.id));
        let is_whole = named.any(|one| is_cold(&one));
        let over: Vec<Indexed> = all.iter().filter(|one| is_whole || !is_cold(one)).cloned().collect();
        let pairs = seeds.iter().flat_map(|from| among.iter().map(move |to| (*from, *to)));
        let pairs: Vec<_> = pairs.filter(|(from, to)| from != to).collect();
        assert_eq!(edges.iter().map(|edge| (edge.from, edge.to)).collect::<Vec<_>>(), pairs, "seed {seed}");
        let of = |id: MemoryId| all.iter().find(|one| one.memory.id == id).unwrap();
        for edge in &edges {
            let (from, to) = (of(edge.from), of(edge.to));
            let similarity = reference::similarity(from, to);
            assert_eq!(edge.similarity.is_some(), similarity.is_some(), "seed {seed}, step {step}");
            let cosines = f64::from(edge.similarity.unwrap_or(0.0)) - f64::from(similarity.unwrap_or(0.0));
            // Vectors are in half precision, and their lengths are 1 only so far.
            assert!(cosines.abs() < 1e-3, "seed {seed}, step {step}: {edge:?}, {similarity:?}");
            let shared = reference::shared_terms(from, to, &over);
            assert!(
                is_close(f64::from(edge.shared_terms), shared),
                "seed {seed}, step {step}: {edge:?}, {shared}"
            );
        }
        let erased = all.first().map(|one| one.memory.id);
        let added = corpus::memory(&mut rng, 100 + step);
        let update = source.write(PARTITION, vec![added], erased.into_iter().collect());
        index.apply(PARTITION, update).await.unwrap();
    }
}

/// Seeds and others are bounded, and what is not there has no edge.
pub async fn associations_are_bounded_and_lead_to_what_is_there(subject: &Subject<'_>, _: u64) {
    let source = Arc::new(MemorySource::default());
    source.write(PARTITION, vec![fact(1, "green tea"), fact(2, "green tea"), fact(3, "rain")], Vec::new());
    let index = subject.over(&source);
    let id = |number: u128| MemoryId(uuid::Uuid::from_u128(number));
    let edges = index.associations(PARTITION, &[id(1), id(9)], &[id(1), id(2), id(3), id(9)]).await.unwrap();
    let ends: Vec<_> = edges.iter().map(|edge| (edge.from, edge.to)).collect();
    assert_eq!(ends, [(id(1), id(2)), (id(1), id(3))]);
    assert!(edges[0].similarity > edges[1].similarity && edges[0].shared_terms > edges[1].shared_terms);
    let associations: Result<Vec<Association>, _> = index.associations(PARTITION, &[], &[]).await;
    assert_eq!(associations.unwrap(), []);
    let many = |count: usize| vec![id(1); count];
    for (seeds, among) in [(MAX_ASSOCIATION_SEEDS + 1, 1), (1, MAX_ASSOCIATED + 1)] {
        let refused = index.associations(PARTITION, &many(seeds), &many(among)).await;
        assert!(matches!(refused, Err(IndexError::Unscorable(_))), "{refused:?}");
    }
}
