//! Kernel tables of this machine compared with the portable one, bit for bit.
//!
//! The whole search is compared in `tests/`; these tests compare one kernel at a time, so a difference is localised.

use half::f16;
use proptest::prelude::*;

use super::*;
use crate::rows::{Int8Params, QuantisedQuery, RowMeta, TILE_ROWS, quantise_row};
use crate::scoring::{Weights, unit_fp16};

/// Tables to compare: whatever the machine has.
fn tables() -> Vec<(InstructionSet, &'static Kernels)> {
    InstructionSet::ALL.into_iter().filter_map(|set| set.kernels().map(|kernels| (set, kernels))).collect()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// Numbers of every magnitude, signs and zeros included, but finite.
fn finite() -> impl Strategy<Value = f32> {
    prop_oneof![
        4 => -1.0f32..1.0,
        1 => any::<u32>().prop_map(f32::from_bits).prop_filter("finite", |value| value.is_finite()),
        1 => Just(0.0f32),
    ]
}

fn meta() -> impl Strategy<Value = RowMeta> {
    let rate = prop_oneof![Just(0.0f32), 0.0f32..1e-6, finite().prop_map(f32::abs)];
    let shape = prop_oneof![Just(0.0f32), 0.0f32..3.0, finite().prop_map(f32::abs)];
    (any::<i64>(), any::<bool>(), rate, shape, finite()).prop_map(
        |(t0, is_near, rate_per_us, shape, importance)| {
            let t0_us = if is_near { t0 >> 20 } else { t0 };
            RowMeta { t0_us, rate_per_us, shape, importance, ..RowMeta::default() }
        },
    )
}

#[test]
fn the_best_set_is_available_and_portable_always_is() {
    assert!(InstructionSet::best().is_available());
    assert!(InstructionSet::Portable.is_available());
    let widest = tables().last().map(|(set, _)| *set);
    assert_eq!(widest, Some(InstructionSet::best()));
}

#[test]
fn every_fp16_number_widens_exactly() {
    let ones: Vec<f32> = (0..64).map(|lane| if lane == 0 { 1.0 } else { 0.0 }).collect();
    for pattern in (0..=u16::MAX).filter(|pattern| f16::from_bits(*pattern).is_finite()) {
        let mut row = [f16::ZERO; 64];
        row[0] = f16::from_bits(pattern);
        for (set, kernels) in tables() {
            assert_eq!((kernels.dot)(&row, &ones), row[0].to_f32(), "{set:?} {pattern:#x}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn dot_products_agree(
        lines in 1usize..=24, seed in prop::collection::vec((-1.0f32..1.0, -1.0f32..1.0), 97..131)
    ) {
        let dims = lines * 64;
        let (q, x): (Vec<f32>, Vec<f32>) =
            (0..dims).map(|at| seed[at * 7 % seed.len()]).map(|(q, x)| (q, x * x * x)).unzip();
        let (Ok(q), Ok(x)) = (unit_fp16(&q), unit_fp16(&x)) else { return Ok(()) };
        let wide: Vec<f32> = q.iter().map(|value| value.to_f32()).collect();
        let expected = (portable::KERNELS.dot)(&x, &wide);
        for (set, kernels) in tables() {
            prop_assert_eq!((kernels.dot)(&x, &wide).to_bits(), expected.to_bits(), "{:?}", set);
        }
    }

    #[test]
    fn bounds_agree(
        lines in 1usize..=24, seed in prop::collection::vec(-1.0f32..1.0, 97..131),
        biases in prop::array::uniform32(finite()), similarity in 0.0f32..10.0,
    ) {
        let dims = lines * 64;
        let Ok(unit) = unit_fp16(&(0..dims).map(|at| seed[at * 5 % seed.len()]).collect::<Vec<_>>())
            else { return Ok(()) };
        let mut query = QuantisedQuery::default();
        query.assign(&unit.iter().map(|value| value.to_f32()).collect::<Vec<_>>());
        let mut codes = vec![0i8; TILE_ROWS * dims];
        let mut int8_params = [Int8Params::default(); TILE_ROWS];
        for (row, (codes, int8_params)) in codes.chunks_exact_mut(dims).zip(&mut int8_params).enumerate() {
            let values: Vec<f16> = (0..dims).map(|at| unit[(at + row * 11) % dims]).collect();
            *int8_params = quantise_row(&values, codes);
        }
        let biases: PerRow<f32> = std::array::from_fn(|row| biases[row % 32]);
        let weights = Weights { similarity, ..Weights::SIMILARITY };
        let most = biases.iter().fold(f32::MIN, |most, bias| most.max(*bias));
        let tile = TileBounds {
            codes: &codes, int8_params: &int8_params, query: &query, weights: &Weights { importance: 1.0, ..weights },
            retention: 0.0, importance: most,
        };
        let mut expected = [0.0; TILE_ROWS];
        let largest = (portable::KERNELS.tile_uppers)(tile, &mut expected);
        for (set, kernels) in tables() {
            let mut uppers = [0.0; TILE_ROWS];
            prop_assert_eq!((kernels.tile_uppers)(tile, &mut uppers), largest, "{:?}", set);
            prop_assert_eq!(bits(&uppers), bits(&expected), "{:?}", set);
            for row in 0..TILE_ROWS {
                let codes = &codes[row * dims..(row + 1) * dims];
                let upper = (kernels.upper)(codes, int8_params[row], &query);
                prop_assert_eq!(upper.to_bits(), expected[row].to_bits(), "{:?} row {}", set, row);
                prop_assert!((kernels.fuse)(&weights, upper, biases[row]) <= largest, "{:?} row {}", set, row);
            }
            let scores: PerRow<f32> =
                std::array::from_fn(|row| (portable::KERNELS.fuse)(&weights, expected[row], biases[row]));
            for threshold in [scores[3], scores[40], scores[9].next_up(), f32::INFINITY, f32::NEG_INFINITY] {
                let reaching = (kernels.tile_reaching)(&weights, &expected, &biases, threshold);
                let each = scores.iter().enumerate().map(|(row, score)| u64::from(*score >= threshold) << row);
                prop_assert_eq!(reaching, each.sum::<u64>(), "{:?}", set);
            }
        }
    }

    #[test]
    fn largest_bits_agree(some in prop::collection::vec(any::<f32>(), 1..TILE_ROWS)) {
        let numbers: PerRow<f32> = std::array::from_fn(|row| some[row % some.len()]);
        let expected = numbers.iter().map(|number| (number + 0.0).to_bits()).max().unwrap_or_default();
        for (set, kernels) in tables() {
            prop_assert_eq!((kernels.tile_largest_bits)(&numbers), expected, "{:?}", set);
        }
    }

    #[test]
    fn retentions_and_biases_agree(
        some in prop::collection::vec(meta(), 16), now_us in any::<i64>(), retention in 0.0f32..4.0,
        importance in 0.0f32..4.0, dot in -1.02f32..1.02,
    ) {
        let metadata: PerRow<RowMeta> = std::array::from_fn(|row| some[row % some.len()]);
        let weights = Weights { similarity: 1.5, retention, importance };
        let expected: PerRow<f32> =
            std::array::from_fn(|row| (portable::KERNELS.retention)(&metadata[row], now_us));
        for (set, kernels) in tables() {
            let (mut retentions, mut biases) = ([0.0; TILE_ROWS], [0.0; TILE_ROWS]);
            (kernels.tile_retentions)(&metadata, now_us, &mut retentions);
            prop_assert_eq!(bits(&retentions), bits(&expected), "{:?}", set);
            (kernels.tile_biases)(&weights, &metadata, &retentions, &mut biases);
            let most = metadata.iter().fold(f32::MIN, |most, meta| most.max(meta.importance));
            let mut bounds = [0.0; TILE_ROWS];
            (kernels.tile_bias_bounds)(&weights, &retentions, most, &mut bounds);
            for row in 0..TILE_ROWS {
                let bias = (kernels.bias)(&weights, &metadata[row], now_us, None);
                prop_assert_eq!(bias.to_bits(), biases[row].to_bits(), "{:?}", set);
                let given = (kernels.bias)(&weights, &metadata[row], !now_us, Some(retentions[row]));
                prop_assert_eq!(given.to_bits(), bias.to_bits(), "{:?}", set);
                prop_assert!(bias <= bounds[row], "{:?}", set);
                let score = (kernels.fuse)(&weights, dot, bias);
                prop_assert_eq!(score.to_bits(), (portable::KERNELS.fuse)(&weights, dot, bias).to_bits());
            }
        }
    }
}
