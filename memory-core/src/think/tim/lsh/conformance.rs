//! Conformance of the hash with measured collision probabilities: shares of pairs of unit vectors of a given cosine whose
//! second vector lies in one of the first 1, 2 or 4 probes of the first.
//!
//! Projections of two unit vectors of cosine rho onto a Gaussian direction are two standard normal numbers of correlation
//! rho, independent from direction to direction. The table is therefore drawn from such pairs, without vectors; the last
//! test ties this to the hash itself.

use super::super::gaussian::{Position, standard_normal};
use super::*;

/// The form of a test that `make test-long` runs (`testing::seeds`, which needs features that this test does not).
fn is_long_form() -> bool {
    std::env::var("ENGRAIN_TEST_LONG").is_ok_and(|value| value == "1")
}

const BUCKETS: [u32; 5] = [8, 16, 32, 64, 128];
const MAX_DIRECTIONS: usize = 64;
const PROBES: [usize; 3] = [1, 2, 4];
/// Largest difference from the table, whose own standard error is up to .01.
const TOLERANCE: f64 = 0.03;

/// Cosine, and for each of [`BUCKETS`] the collision probabilities at 1, 2 and 4 probes. Measured for this project with 2,500
/// to 4,000 draws a cell.
const TABLE: [(f64, [[f64; 3]; 5]); 7] = [
    (
        0.95,
        [[0.75, 0.92, 0.99], [0.70, 0.88, 0.98], [0.67, 0.86, 0.97], [0.62, 0.80, 0.94], [0.59, 0.79, 0.92]],
    ),
    (
        0.9,
        [[0.66, 0.87, 0.98], [0.60, 0.81, 0.94], [0.55, 0.76, 0.91], [0.50, 0.69, 0.86], [0.45, 0.63, 0.81]],
    ),
    (
        0.8,
        [[0.52, 0.75, 0.93], [0.46, 0.67, 0.86], [0.41, 0.60, 0.79], [0.36, 0.53, 0.71], [0.31, 0.47, 0.63]],
    ),
    (
        0.7,
        [[0.44, 0.67, 0.90], [0.37, 0.57, 0.77], [0.30, 0.47, 0.66], [0.25, 0.40, 0.57], [0.21, 0.32, 0.46]],
    ),
    (
        0.6,
        [[0.39, 0.59, 0.85], [0.30, 0.47, 0.68], [0.22, 0.36, 0.54], [0.16, 0.29, 0.44], [0.14, 0.24, 0.36]],
    ),
    (
        0.5,
        [[0.31, 0.52, 0.78], [0.23, 0.39, 0.60], [0.17, 0.29, 0.44], [0.14, 0.22, 0.35], [0.10, 0.17, 0.25]],
    ),
    (
        0.3,
        [[0.23, 0.39, 0.67], [0.15, 0.27, 0.46], [0.10, 0.17, 0.29], [0.06, 0.11, 0.19], [0.04, 0.08, 0.14]],
    ),
];

/// Collision probabilities by cosine, number of buckets and number of probes, from `draws` pairs of projections. One pair of
/// independent draws a direction serves all cells.
fn drawn(draws: u32, cosines: &[f64], buckets: &[u32]) -> Vec<Vec<[f64; 3]>> {
    let mut hits = vec![vec![[0_u32; 3]; buckets.len()]; cosines.len()];
    let normals = |table, row| {
        std::array::from_fn::<f64, MAX_DIRECTIONS, _>(|column| {
            standard_normal(99, Position { table, row, column: column as u32 })
        })
    };
    let mut others = [0.0; MAX_DIRECTIONS];
    for draw in 0..draws {
        let (one, independent) = (normals(0, draw), normals(1, draw));
        let probes: Vec<Vec<u32>> =
            buckets.iter().map(|count| best_entries(&one[..*count as usize / 2], 4)).collect();
        for (cosine, hits) in cosines.iter().zip(&mut hits) {
            let rest = (1.0 - cosine * cosine).sqrt();
            for (other, (one, independent)) in others.iter_mut().zip(one.iter().zip(&independent)) {
                *other = cosine * one + rest * independent;
            }
            for ((count, probes), hits) in buckets.iter().zip(&probes).zip(hits) {
                let bucket = best_entries(&others[..*count as usize / 2], 1)[0];
                for (number, hits) in PROBES.iter().zip(hits) {
                    *hits += u32::from(probes[..*number].contains(&bucket));
                }
            }
        }
    }
    let share = |hits: [u32; 3]| hits.map(|hits| f64::from(hits) / f64::from(draws));
    hits.into_iter().map(|of| of.into_iter().map(share).collect()).collect()
}

/// A sample of the draws in the normal form, a million for each cell in the long form.
#[test]
fn collision_probabilities_are_those_of_the_table() {
    let draws = if is_long_form() { 1_000_000 } else { 8_000 };
    let cosines = TABLE.map(|(cosine, _)| cosine);
    let mut worst: (f64, String) = (0.0, String::new());
    for ((cosine, expected), found) in TABLE.iter().zip(drawn(draws, &cosines, &BUCKETS)) {
        for ((buckets, expected), found) in BUCKETS.iter().zip(expected).zip(found) {
            for ((expected, found), probes) in expected.iter().zip(found).zip(PROBES) {
                let difference = (expected - found).abs();
                if difference > worst.0 {
                    worst = (difference, format!("cosine {cosine}, b {buckets}, {probes} probes: {found}"));
                }
            }
        }
    }
    println!("the largest difference of {draws} draws is {:.4} at {}", worst.0, worst.1);
    assert!(worst.0 <= TOLERANCE, "{} off at {}", worst.0, worst.1);
}

/// Pairs of vectors of a given cosine through the hash itself collide as often as drawn pairs of projections.
#[test]
fn the_hash_of_vectors_collides_as_drawn_projections_do() {
    const DIMENSION: usize = 32;
    const PAIRS_PER_SEED: u32 = 40;
    let seeds = if is_long_form() { 1_000 } else { 60 };
    let expected = drawn(4_000, &[0.8], &[32])[0][0];
    let mut hits = [0_u32; 3];
    for seed in 0..seeds {
        let lsh = Lsh::new(LshParameters { seed, ..LshParameters::default() }, DIMENSION).unwrap();
        for pair in 0..PAIRS_PER_SEED {
            let (one, other) = pair_of_cosine(0.8, DIMENSION, seed as u32 * PAIRS_PER_SEED + pair);
            let probes = lsh.probes(0, &one, 4).unwrap();
            let bucket = lsh.bucket(0, &other).unwrap();
            for (number, hits) in PROBES.iter().zip(&mut hits) {
                *hits += u32::from(probes[..*number].contains(&bucket));
            }
        }
    }
    for (hits, expected) in hits.iter().zip(expected) {
        let found = f64::from(*hits) / (seeds as f64 * f64::from(PAIRS_PER_SEED));
        assert!((found - expected).abs() <= 0.04, "{found} of the vectors, {expected} of the projections");
    }
}

/// Two unit vectors of a given cosine in a random plane.
fn pair_of_cosine(cosine: f64, dimension: usize, number: u32) -> (Vec<f32>, Vec<f32>) {
    let normals = |table| -> Vec<f64> {
        (0..dimension as u32)
            .map(|column| standard_normal(5, Position { table, row: number, column }))
            .collect()
    };
    let dot = |one: &[f64], other: &[f64]| one.iter().zip(other).map(|(a, b)| a * b).sum::<f64>();
    let unit = |vector: Vec<f64>| -> Vec<f64> {
        let length = dot(&vector, &vector).sqrt();
        vector.iter().map(|component| component / length).collect()
    };
    let one = unit(normals(2));
    let drawn = normals(3);
    let along = dot(&drawn, &one);
    let across = unit(drawn.iter().zip(&one).map(|(component, one)| component - along * one).collect());
    let rest = (1.0 - cosine * cosine).sqrt();
    let other = one.iter().zip(&across).map(|(one, across)| (cosine * one + rest * across) as f32).collect();
    (one.iter().map(|component| *component as f32).collect(), other)
}
