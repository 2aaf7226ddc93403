//! Tests of the hash: pinned buckets, symmetries, ties, probes and refusals.

use proptest::prelude::*;

use super::*;

const DIMENSION: usize = 24;

fn lsh(buckets: u32, seed: u64) -> Lsh {
    Lsh::new(LshParameters { buckets, seed, tables: 3, ..LshParameters::default() }, DIMENSION).unwrap()
}

/// A vector whose components need no arithmetic that could round.
fn vector(number: u32) -> Vec<f32> {
    let component =
        |at: u32| (number.wrapping_mul(2_654_435_769).rotate_left(at * 5) % 2_001) as f32 - 1_000.0;
    (0..DIMENSION as u32).map(component).collect()
}

/// Buckets never change, not with the platform, the instruction set or a release. The values were computed by another
/// program (Python, IEEE doubles).
#[test]
fn buckets_of_a_seed_are_the_pinned_ones() {
    let buckets = |buckets, seed| {
        let lsh = lsh(buckets, seed);
        let of = |number| (0..3).map(|table| lsh.bucket(table, &vector(number)).unwrap()).collect::<Vec<_>>();
        (1..=5).map(of).collect::<Vec<_>>().concat()
    };
    assert_eq!(buckets(32, 0), [28, 9, 24, 12, 19, 11, 5, 0, 25, 17, 7, 12, 18, 13, 23]);
    assert_eq!(buckets(32, 4_711), [19, 24, 28, 24, 1, 20, 30, 28, 18, 12, 28, 29, 13, 5, 12]);
    assert_eq!(buckets(128, u64::MAX), [51, 92, 92, 46, 127, 100, 112, 72, 50, 71, 25, 109, 53, 121, 16]);
    assert_eq!(lsh(32, 0).probes(1, &vector(1), 8), Ok(vec![9, 10, 21, 27, 24, 2, 1, 7]));
}

#[test]
fn equal_entries_have_the_lowest_index_first() {
    assert_eq!(best_entries(&[-2.0, 2.0, 2.0], 9), [1, 2, 3, 0, 4, 5]);
    assert_eq!(best_entries(&[0.0, -0.0], 9), [0, 1, 2, 3]);
    assert_eq!(best_entries(&[1.0, -3.0, 2.0], 3), [4, 2, 0]);
    assert_eq!(best_entries(&[1.0], 0), [0; 0]);
}

#[test]
fn what_cannot_be_hashed_is_refused() {
    let new = |parameters, dimension| Lsh::new(parameters, dimension).err();
    let usual = LshParameters::default();
    for buckets in [0, 1, 7, MAX_BUCKETS + 2, u32::MAX] {
        assert_eq!(new(LshParameters { buckets, ..usual }, 8), Some(LshError::Buckets), "{buckets}");
    }
    for tables in [0, MAX_TABLES + 1] {
        assert_eq!(new(LshParameters { tables, ..usual }, 8), Some(LshError::Tables), "{tables}");
    }
    for probes in [0, usual.buckets + 1] {
        assert_eq!(new(LshParameters { probes, ..usual }, 8), Some(LshError::Probes), "{probes}");
    }
    for k in [0, MAX_K + 1] {
        assert_eq!(new(LshParameters { k, ..usual }, 8), Some(LshError::K), "{k}");
    }
    let largest = LshParameters { buckets: MAX_BUCKETS, tables: MAX_TABLES, ..usual };
    for (parameters, dimension) in
        [(usual, 0), (usual, MAX_DIMENSION + 1), (usual, usize::MAX), (largest, 1_024)]
    {
        assert_eq!(new(parameters, dimension), Some(LshError::Size), "{dimension}");
    }
    let lsh = lsh(32, 0);
    assert_eq!(lsh.bucket(3, &vector(1)), Err(LshError::NoSuchTable(3)));
    assert_eq!(lsh.bucket(0, &[1.0]), Err(LshError::Dimension { expected: DIMENSION, found: 1 }));
    assert_eq!(lsh.bucket(0, &[-0.0; DIMENSION]), Err(LshError::Zero));
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut vector = vector(1);
        vector[DIMENSION - 1] = bad;
        assert_eq!(lsh.bucket(0, &vector), Err(LshError::NotFinite));
        assert_eq!(lsh.probes(0, &vector, 2), Err(LshError::NotFinite));
    }
}

/// A vector with a direction, and far enough from a tie that rounding its components decides nothing.
fn decided(lsh: &Lsh, vector: &[f32]) -> bool {
    let projections = lsh.projections(0, vector);
    projections.is_ok_and(|projections| {
        let best = best_entries(&projections, 2);
        let size = |index: u32| projections[index as usize % projections.len()].abs();
        size(best[0]) > size(best[1]) * (1.0 + 1e-3)
    })
}

proptest! {
    #[test]
    fn a_positive_factor_leaves_the_bucket(
        components in proptest::collection::vec(-1.0_f32..1.0, DIMENSION),
        factor in 1e-3_f32..1e3,
        power in -30_i32..30,
    ) {
        let lsh = lsh(32, 1);
        prop_assume!(components.iter().any(|component| component.abs() > 1e-3));
        let bucket = lsh.bucket(0, &components);
        // A power of two rounds nothing, so that even ties stay.
        let doubled: Vec<f32> = components.iter().map(|component| component * 2.0_f32.powi(power)).collect();
        prop_assume!(doubled.iter().zip(&components).all(|(d, c)| d / 2.0_f32.powi(power) == *c));
        prop_assert_eq!(lsh.bucket(0, &doubled), bucket);
        prop_assume!(decided(&lsh, &components));
        let scaled: Vec<f32> = components.iter().map(|component| component * factor).collect();
        prop_assert_eq!(lsh.bucket(0, &scaled), bucket);
    }

    #[test]
    fn the_opposite_vector_has_the_paired_bucket(
        components in proptest::collection::vec(-1.0_f32..1.0, DIMENSION), half in 1_u32..40,
    ) {
        let lsh = lsh(2 * half, 2);
        prop_assume!(decided(&lsh, &components) || half == 1 && components.iter().any(|one| *one != 0.0));
        let opposite: Vec<f32> = components.iter().map(|component| -component).collect();
        let (one, other) = (lsh.bucket(0, &components).unwrap(), lsh.bucket(0, &opposite).unwrap());
        prop_assert_eq!((one + half) % (2 * half), other);
    }

    #[test]
    fn probes_are_distinct_buckets_that_begin_with_the_own(
        components in proptest::collection::vec(-1.0_f32..1.0, DIMENSION), half in 1_u32..20, count in 0_usize..60,
    ) {
        let lsh = lsh(2 * half, 3);
        prop_assume!(components.iter().any(|component| *component != 0.0));
        let probes = lsh.probes(2, &components, count).unwrap();
        prop_assert_eq!(probes.len(), count.min(2 * half as usize));
        let distinct: std::collections::BTreeSet<u32> = probes.iter().copied().collect();
        prop_assert_eq!(distinct.len(), probes.len());
        prop_assert!(probes.iter().all(|bucket| *bucket < 2 * half));
        prop_assert!(count == 0 || probes[0] == lsh.bucket(2, &components).unwrap());
    }

    #[test]
    fn a_smaller_hash_has_the_first_directions_of_a_larger_one(
        components in proptest::collection::vec(-1.0_f32..1.0, DIMENSION), half in 1_usize..20,
    ) {
        prop_assume!(components.iter().any(|component| *component != 0.0));
        let (small, large) = (lsh(2 * half as u32, 5), lsh(64, 5));
        let larger = large.projections(1, &components).unwrap();
        prop_assert_eq!(&small.projections(1, &components).unwrap()[..], &larger[..half]);
    }
}
