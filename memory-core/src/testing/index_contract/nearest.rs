//! Rules of `Index::nearest`: for every implementation visibility, order, bounds; for an exact one the reference's answer.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{PARTITION, Subject, any_query, fact, query};
use crate::domain::id::MemoryId;
use crate::index::{IndexError, IndexQuery, MAX_NEAREST, MAX_NEAREST_VECTORS, Nearest, ScanWeights, View};
use crate::store::Indexed;
use crate::testing::corpus;
use crate::testing::fixtures::vector_of;
use crate::testing::memory_source::MemorySource;
use crate::testing::reference;
use crate::testing::rng::Rng;

/// A source with random memories, several of which have the same rows.
fn filled(rng: &mut Rng) -> Arc<MemorySource> {
    let source = Arc::new(MemorySource::default());
    let mut all: Vec<Indexed> = (0..60).map(|number| corpus::memory(rng, number)).collect();
    for at in 1..all.len() {
        if rng.chance(20) {
            all[at].rows = all[at - 1].rows.clone();
        }
    }
    source.write(PARTITION, all, Vec::new());
    source
}

/// Some vectors of texts, and a random view.
fn vectors_and_view(rng: &mut Rng, count: usize) -> (Vec<Arc<[f32]>>, View) {
    let vectors = (0..count).map(|_| vector_of(&corpus::text(rng)).into()).collect();
    (vectors, any_query(rng).view)
}

/// The cosine of a memory's nearest row, from the definition.
fn cosine(vector: &Arc<[f32]>, view: &View, indexed: &Indexed) -> Option<f32> {
    let (vector, weights) = (Some(vector.clone()), ScanWeights::SIMILARITY);
    let query = IndexQuery { vector, text: "".into(), view: view.clone(), weights, candidates: 1 };
    reference::dense(&query, indexed, &[]).map(|(score, _)| score)
}

/// The answers equal those of the reference to the bit, whatever the number of vectors and k, also after updates.
pub async fn nearest_equals_the_reference(subject: &Subject<'_>, seed: u64) {
    let mut rng = Rng::new(seed);
    let source = filled(&mut rng);
    let index = subject.over(&source);
    for step in 0..6 {
        let count = 1 + rng.below(9);
        let (vectors, view) = vectors_and_view(&mut rng, count);
        let k = *rng.pick(&[1, 3, 10, MAX_NEAREST]);
        let answers = index.nearest(PARTITION, &vectors, &view, k).await.unwrap();
        let mut all = reference::searched(&view, &source.memories(PARTITION));
        all.retain(|indexed| reference::sees(&view, &indexed.memory));
        let of = |vector: &Arc<[f32]>| {
            let near = |one: &Indexed| {
                cosine(vector, &view, one).map(|similarity| Nearest { memory: one.memory.id, similarity })
            };
            let mut nearest: Vec<Nearest> = all.iter().filter_map(near).collect();
            nearest.sort_by(|one, other| {
                other.similarity.total_cmp(&one.similarity).then(one.memory.cmp(&other.memory))
            });
            nearest.truncate(k);
            nearest
        };
        let expected: Vec<Vec<Nearest>> = vectors.iter().map(of).collect();
        assert_eq!(answers, expected, "seed {seed}, step {step}: k {k}, {view:?}");
        let erased = source.memories(PARTITION).first().map(|one| one.memory.id);
        let added = corpus::memory(&mut rng, 100 + step);
        let update = source.write(PARTITION, vec![added], erased.into_iter().collect());
        index.apply(PARTITION, update).await.unwrap();
    }
}

/// Every listed memory is visible, listed once for a vector, in the order of similarity, and no more than k are.
pub async fn nearest_memories_are_visible_and_listed_once_in_order(subject: &Subject<'_>, seed: u64) {
    let mut rng = Rng::new(seed);
    let source = filled(&mut rng);
    let index = subject.over(&source);
    for _ in 0..4 {
        let (vectors, view) = vectors_and_view(&mut rng, 5);
        let k = 1 + rng.below(20);
        let all = source.memories(PARTITION);
        let answers = index.nearest(PARTITION, &vectors, &view, k).await.unwrap();
        assert_eq!(answers.len(), vectors.len(), "seed {seed}");
        for (answer, vector) in answers.iter().zip(&vectors) {
            let distinct: BTreeSet<MemoryId> = answer.iter().map(|one| one.memory).collect();
            assert!(distinct.len() == answer.len() && answer.len() <= k, "seed {seed}: {answer:?}");
            assert!(answer.is_sorted_by(|one, next| one.similarity >= next.similarity), "seed {seed}");
            for near in answer {
                let indexed = all.iter().find(|one| one.memory.id == near.memory).unwrap();
                assert!(reference::sees(&view, &indexed.memory), "seed {seed}: {near:?} is hidden");
                assert_eq!(Some(near.similarity), cosine(vector, &view, indexed), "seed {seed}");
            }
        }
    }
}

/// Vectors and k are bounded; a vector without a direction, or of another dimension, refuses the whole call.
pub async fn nearest_of_what_is_out_of_bounds_is_refused(subject: &Subject<'_>, _: u64) {
    let source = Arc::new(MemorySource::default());
    source.write(PARTITION, vec![fact(1, "tea"), fact(2, "tea|tea|tea")], Vec::new());
    let index = subject.over(&source);
    let view = query("tea", 1).view;
    let vector: Arc<[f32]> = vector_of("tea").into();
    let nearest = async |vectors: Vec<Arc<[f32]>>, k| index.nearest(PARTITION, &vectors, &view, k).await;
    assert_eq!(nearest(Vec::new(), 5).await.unwrap(), Vec::<Vec<Nearest>>::new());
    let largest = nearest(vec![vector.clone(); MAX_NEAREST_VECTORS], MAX_NEAREST).await.unwrap();
    assert!(largest.iter().all(|answer| answer.len() == 2), "a memory of three rows is one");
    let zero: Arc<[f32]> = vec![0.0; vector.len()].into();
    for (vectors, k) in [
        (vec![vector.clone(); MAX_NEAREST_VECTORS + 1], 5),
        (vec![vector.clone()], 0),
        (vec![vector.clone()], MAX_NEAREST + 1),
        (vec![vector.clone(), zero], 5),
    ] {
        let refused = nearest(vectors, k).await;
        assert!(matches!(refused, Err(IndexError::Unscorable(_))), "{refused:?}");
    }
    let refused = nearest(vec![vector, [1.0].into()], 5).await;
    assert!(matches!(refused, Err(IndexError::Dimension { .. })), "{refused:?}");
}
