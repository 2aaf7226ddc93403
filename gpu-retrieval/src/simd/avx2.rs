//! Dot products with AVX2, FMA and F16C: eight fp32 or sixteen int16 products per instruction.
//!
//! The invariant: four registers of eight lanes are the contract's 32 lanes in order, and the sums of the integer
//! pass are exact, whatever their order.

#![expect(unsafe_code, reason = "vector loads and prefetches; every block says why it is sound")]

use std::arch::x86_64::{
    __m128, __m128i, __m256, __m256i, _MM_HINT_T0, _mm_add_epi32, _mm_add_ps, _mm_add_ss, _mm_cvtsi128_si32,
    _mm_cvtss_f32, _mm_loadu_si128, _mm_movehl_ps, _mm_prefetch, _mm_shuffle_epi32, _mm_shuffle_ps,
    _mm256_add_epi32, _mm256_add_ps, _mm256_castps256_ps128, _mm256_castsi256_si128, _mm256_cvtepi8_epi16,
    _mm256_cvtph_ps, _mm256_extractf128_ps, _mm256_extracti128_si256, _mm256_fmadd_ps, _mm256_hadd_epi32,
    _mm256_loadu_ps, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_setzero_ps, _mm256_setzero_si256,
};

use half::f16;

use super::generic::{self, DotProducts, kernels_with_features};
use super::kernels::{Kernels, PerRow, TileBounds};
use crate::rows::{Int8Params, QuantisedQuery, RowMeta};
use crate::scoring::{LANES, Weights};

kernels_with_features!(KERNELS, Avx2, "avx2,fma,f16c");

/// The table, if the CPU has every feature it is compiled with.
pub(super) fn kernels() -> Option<&'static Kernels> {
    let is_available = is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("fma")
        && is_x86_feature_detected!("f16c");
    is_available.then_some(&KERNELS)
}

struct Avx2;

impl DotProducts for Avx2 {
    #[inline(always)]
    fn canonical(row: &[f16], query: &[f32]) -> f32 {
        // SAFETY: called from functions of the table only, which have the features enabled.
        unsafe { canonical(row, query) }
    }

    #[inline(always)]
    fn integer(row: &[i8], query: &[i16]) -> i32 {
        // SAFETY: as above.
        unsafe { integer(row, query) }
    }

    #[inline(always)]
    fn integer_tile(tile: &[i8], query: &[i16], dots: &mut PerRow<i32>) {
        // SAFETY: as above.
        unsafe { integer_tile(tile, query, dots) }
    }

    #[inline(always)]
    fn prefetch(row: &[i8]) {
        prefetch_lines(row);
    }
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn canonical(row: &[f16], query: &[f32]) -> f32 {
    let mut lanes = [_mm256_setzero_ps(); 4];
    for (x, q) in row.as_chunks::<LANES>().0.iter().zip(query.as_chunks::<LANES>().0) {
        for ((lanes, x), q) in lanes.iter_mut().zip(x.as_chunks::<8>().0).zip(q.as_chunks::<8>().0) {
            *lanes = _mm256_fmadd_ps(widen(x), load_f32(q), *lanes);
        }
    }
    let [a, b, c, d] = lanes;
    sum_eight(_mm256_add_ps(_mm256_add_ps(a, c), _mm256_add_ps(b, d)))
}

/// The last three steps of the contract's butterfly: strides 4, 2 and 1.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn sum_eight(lanes: __m256) -> f32 {
    let four: __m128 = _mm_add_ps(_mm256_castps256_ps128(lanes), _mm256_extractf128_ps::<1>(lanes));
    let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps::<1>(two, two)))
}

#[inline]
#[target_feature(enable = "avx2")]
fn integer(row: &[i8], query: &[i16]) -> i32 {
    let mut sums = [_mm256_setzero_si256(); 2];
    for (x, q) in row.as_chunks::<32>().0.iter().zip(query.as_chunks::<32>().0) {
        for ((sum, x), q) in sums.iter_mut().zip(x.as_chunks::<16>().0).zip(q.as_chunks::<16>().0) {
            *sum = add_products(*sum, x, load_i16(q));
        }
    }
    sum_integers(_mm256_add_epi32(sums[0], sums[1]))
}

/// Two rows at a time: each piece of the query is loaded once for both, and the final sums share their steps.
///
/// With every line of 64 bytes the one four rows further on is asked for: a steady stream that the caches can
/// follow. More than two rows at a time are more streams; four took a quarter longer where memory is the limit.
#[inline]
#[target_feature(enable = "avx2")]
fn integer_tile(tile: &[i8], query: &[i16], dots: &mut PerRow<i32>) {
    let stride = query.len();
    for (rows, dots) in tile.chunks_exact(2 * stride).zip(dots.as_chunks_mut::<2>().0) {
        let (first, second) = rows.split_at(stride);
        let mut ahead = rows.as_ptr().wrapping_add(4 * stride);
        let mut sums = [_mm256_setzero_si256(); 2];
        let pieces = first.as_chunks::<32>().0.iter().zip(second.as_chunks::<32>().0);
        for ((first, second), q) in pieces.zip(query.as_chunks::<32>().0) {
            prefetch_line(ahead);
            ahead = ahead.wrapping_add(64);
            let pairs = first.as_chunks::<16>().0.iter().zip(second.as_chunks::<16>().0);
            for ((first, second), q) in pairs.zip(q.as_chunks::<16>().0) {
                let q = load_i16(q);
                sums[0] = add_products(sums[0], first, q);
                sums[1] = add_products(sums[1], second, q);
            }
        }
        let pairs = _mm256_hadd_epi32(sums[0], sums[1]);
        let pairs = _mm_add_epi32(_mm256_castsi256_si128(pairs), _mm256_extracti128_si256::<1>(pairs));
        let both = _mm_add_epi32(pairs, _mm_shuffle_epi32::<0b11_11_01_01>(pairs));
        *dots = [_mm_cvtsi128_si32(both), _mm_cvtsi128_si32(_mm_shuffle_epi32::<0b10>(both))];
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn add_products(sums: __m256i, row: &[i8; 16], query: __m256i) -> __m256i {
    _mm256_add_epi32(sums, _mm256_madd_epi16(_mm256_cvtepi8_epi16(load_i8(row)), query))
}

#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn sum_integers(lanes: __m256i) -> i32 {
    let four = _mm_add_epi32(_mm256_castsi256_si128(lanes), _mm256_extracti128_si256::<1>(lanes));
    let two = _mm_add_epi32(four, _mm_shuffle_epi32::<0b00_00_11_10>(four));
    _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32::<1>(two)))
}

#[inline]
#[target_feature(enable = "avx2,f16c")]
fn widen(row: &[f16; 8]) -> __m256 {
    // SAFETY: the array is 16 bytes long, and the load needs no alignment.
    _mm256_cvtph_ps(unsafe { _mm_loadu_si128(row.as_ptr().cast()) })
}

#[inline]
#[target_feature(enable = "avx2")]
fn load_f32(values: &[f32; 8]) -> __m256 {
    // SAFETY: the array is 32 bytes long, and the load needs no alignment.
    unsafe { _mm256_loadu_ps(values.as_ptr()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn load_i16(values: &[i16; 16]) -> __m256i {
    // SAFETY: the array is 32 bytes long, and the load needs no alignment.
    unsafe { _mm256_loadu_si256(values.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn load_i8(values: &[i8; 16]) -> __m128i {
    // SAFETY: the array is 16 bytes long, and the load needs no alignment.
    unsafe { _mm_loadu_si128(values.as_ptr().cast()) }
}

/// Asks for every cache line of a row that begins at one.
#[inline(always)]
pub(super) fn prefetch_lines(row: &[i8]) {
    for line in row.chunks(64) {
        prefetch_line(line.as_ptr());
    }
}

/// Asks for a cache line, which need not be ours.
#[inline(always)]
fn prefetch_line(line: *const i8) {
    // SAFETY: a prefetch reads nothing and never faults, whatever the address.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(line) }
}
