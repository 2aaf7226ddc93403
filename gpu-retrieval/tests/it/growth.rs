//! Memory of a growing store: small stores take little, large ones answer exactly over blocks of every size.

#![expect(clippy::unwrap_used, reason = "a test stops where something is wrong")]

use crate::oracle::Twin;
use gpu_retrieval::{
    Batch, Decay, InstructionSet, Pass, PassChoice, Query, Row, Rows, SearchOptions, TILE_ROWS, Weights,
    unit_fp16,
};
use half::f16;

const DIMS: usize = 384;

/// Size in bytes of a row of [`DIMS`] elements: fp16, int8, metadata, scale and residual.
const ROW_BYTES: usize = DIMS * 3 + 40;

fn rising(angle: f32) -> Vec<f16> {
    let mut direction = vec![0.0; DIMS];
    (direction[3], direction[200]) = (angle.cos(), angle.sin());
    unit_fp16(&direction).unwrap()
}

#[test]
fn bytes_follow_the_rows() {
    let mut rows = Rows::new(DIMS).unwrap();
    let group = rows.add_group(1).unwrap();
    let vector = rising(0.5);
    for count in 1..=20_000 {
        rows.push(&Row { vector: &vector, group, ordinal: 0, decay: Decay::default() }).unwrap();
        let used = count * ROW_BYTES;
        // Blocks also have heads of their own.
        let tile = if count <= TILE_ROWS { count.max(8) * 2 } else { TILE_ROWS } * ROW_BYTES;
        let most = (used + used / 4).max(used + tile) + 8192;
        assert!((used..=most).contains(&rows.bytes()), "{count} rows: {} bytes", rows.bytes());
    }
    for row in 100..20_000 {
        rows.delete(row).unwrap();
    }
    rows.compact();
    assert!(rows.bytes() < 2 * TILE_ROWS * ROW_BYTES + 1024, "{} bytes", rows.bytes());
}

#[test]
fn a_few_rows_take_little() {
    let mut rows = Rows::new(DIMS).unwrap();
    let group = rows.add_group(1).unwrap();
    let vector = rising(0.5);
    for most_bytes in [12_500; 8].into_iter().chain([22_000; 8]).chain([41_000; 16]) {
        rows.push(&Row { vector: &vector, group, ordinal: 0, decay: Decay::default() }).unwrap();
        assert!(rows.bytes() < most_bytes, "{} rows take {}", rows.len(), rows.bytes());
    }
}

#[test]
fn what_was_stored_stays_what_it_is() {
    let mut rows = Rows::new(DIMS).unwrap();
    let group = rows.add_group(1).unwrap();
    let first = rising(0.0);
    rows.push(&Row { vector: &first, group, ordinal: 0, decay: Decay::default() }).unwrap();
    for step in 1..5000u32 {
        let vector = rising(step as f32 / 5000.0);
        rows.push(&Row { vector: &vector, group, ordinal: step, decay: Decay::default() }).unwrap();
    }
    for step in 0..5000u32 {
        assert_eq!(rows.vector(step), Some(rising(step as f32 / 5000.0).as_slice()));
    }
}

/// Up to blocks that are mapped from the system; all cosines with the query are near 0.75.
#[test]
fn a_large_store_is_answered_exactly() {
    let mut state = 5u64;
    let mut noise = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 24) as f32
    };
    let mut twin = Twin::over(Rows::new(DIMS).unwrap());
    for row in 0..36_000u32 {
        // All positive: that is what squeezes the cosines.
        let direction: Vec<f32> = (0..DIMS).map(|_| noise()).collect();
        if row % 3 == 0 {
            twin.add_group(u128::from(row));
        }
        twin.push(unit_fp16(&direction).unwrap(), row / 3, row % 3, Decay::default());
    }
    for row in (0..36_000).step_by(7) {
        twin.delete(row);
        twin.set_decay(row + 1, Decay { importance: 0.5, ..Decay::default() });
    }
    let vector: Vec<f32> = (0..DIMS).map(|_| noise()).collect();
    let mask: Vec<u64> = (0..36_000 / 64 + 1).map(|_| u64::from(noise().to_bits()) * 0x1_0001_0003).collect();
    for (k, mask) in [(10, None), (50, None), (50, Some(mask.as_slice()))] {
        let query =
            Query { vector: &vector, k, weights: Weights::SIMILARITY, retention: None, mask, ranges: None };
        let (hits, rows_scanned) = twin.expected(&query, 0);
        for instruction_set in InstructionSet::ALL.into_iter().filter(|set| set.is_available()) {
            for pass in [Pass::Exact, Pass::Certified] {
                let options = SearchOptions { instruction_set, pass: PassChoice::Forced(pass) };
                let batch = Batch { now_us: 0, queries: &[query] };
                let answer = twin.rows.search_with(&batch, &options).unwrap().remove(0);
                assert_eq!((&answer.hits, answer.rows_scanned), (&hits, rows_scanned), "{options:?}");
                assert!(pass == Pass::Exact || answer.rows_rescored < rows_scanned / 4, "{answer:?}");
            }
        }
    }
}
