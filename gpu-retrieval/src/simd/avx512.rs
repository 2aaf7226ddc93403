//! Dot products with AVX-512: sixteen fp32 or thirty-two int16 products per instruction.
//!
//! The invariant: two registers of sixteen lanes are the contract's 32 lanes in order. VNNI fuses the integer
//! multiply and add; its sums are exact like the others, so it is a second table with the same results.

#![expect(unsafe_code, reason = "vector loads; every block says why it is sound")]

use std::arch::x86_64::{
    __m512, __m512i, _mm256_add_epi32, _mm256_add_ps, _mm256_loadu_si256, _mm512_add_epi32, _mm512_add_ps,
    _mm512_castps512_ps256, _mm512_castsi512_si256, _mm512_cvtepi8_epi16, _mm512_cvtph_ps,
    _mm512_dpwssd_epi32, _mm512_extractf32x8_ps, _mm512_extracti64x4_epi64, _mm512_fmadd_ps, _mm512_loadu_ps,
    _mm512_loadu_si512, _mm512_madd_epi16, _mm512_setzero_ps, _mm512_setzero_si512,
};

use half::f16;

use super::avx2::{prefetch_lines, sum_eight, sum_integers};
use super::generic::{self, DotProducts, kernels_with_features};
use super::kernels::{Kernels, PerRow, TileBounds};
use crate::rows::{Int8Params, QuantisedQuery, RowMeta};
use crate::scoring::{LANES, Weights};

kernels_with_features!(KERNELS, Avx512, "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c");
kernels_with_features!(VNNI_KERNELS, Vnni, "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c");

/// The table, if the CPU has every feature it is compiled with.
pub(super) fn kernels() -> Option<&'static Kernels> {
    let is_available = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("fma")
        && is_x86_feature_detected!("f16c");
    let has_vnni = is_x86_feature_detected!("avx512vnni");
    is_available.then_some(if has_vnni { &VNNI_KERNELS } else { &KERNELS })
}

struct Avx512;
struct Vnni;

impl DotProducts for Avx512 {
    #[inline(always)]
    fn canonical(row: &[f16], query: &[f32]) -> f32 {
        // SAFETY: called from functions of the tables only, which have the features enabled.
        unsafe { canonical(row, query) }
    }

    #[inline(always)]
    fn integer(row: &[i8], query: &[i16]) -> i32 {
        // SAFETY: as above.
        unsafe { integer(row, query) }
    }

    #[inline(always)]
    fn integer_tile(tile: &[i8], query: &[i16], dots: &mut PerRow<i32>) {
        for (row, dot) in tile.chunks_exact(query.len()).zip(dots) {
            *dot = Self::integer(row, query);
        }
    }

    #[inline(always)]
    fn prefetch(row: &[i8]) {
        prefetch_lines(row);
    }
}

impl DotProducts for Vnni {
    #[inline(always)]
    fn canonical(row: &[f16], query: &[f32]) -> f32 {
        Avx512::canonical(row, query)
    }

    #[inline(always)]
    fn integer(row: &[i8], query: &[i16]) -> i32 {
        // SAFETY: called from functions of the VNNI table only, which have its features enabled.
        unsafe { integer_vnni(row, query) }
    }

    #[inline(always)]
    fn integer_tile(tile: &[i8], query: &[i16], dots: &mut PerRow<i32>) {
        for (row, dot) in tile.chunks_exact(query.len()).zip(dots) {
            *dot = Self::integer(row, query);
        }
    }

    #[inline(always)]
    fn prefetch(row: &[i8]) {
        prefetch_lines(row);
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512dq,avx2")]
fn canonical(row: &[f16], query: &[f32]) -> f32 {
    let mut lanes = [_mm512_setzero_ps(); 2];
    for (x, q) in row.as_chunks::<LANES>().0.iter().zip(query.as_chunks::<LANES>().0) {
        for ((lanes, x), q) in lanes.iter_mut().zip(x.as_chunks::<16>().0).zip(q.as_chunks::<16>().0) {
            *lanes = _mm512_fmadd_ps(widen(x), load_f32(q), *lanes);
        }
    }
    let sixteen = _mm512_add_ps(lanes[0], lanes[1]);
    sum_eight(_mm256_add_ps(_mm512_castps512_ps256(sixteen), _mm512_extractf32x8_ps::<1>(sixteen)))
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx2")]
fn integer(row: &[i8], query: &[i16]) -> i32 {
    let mut sums = [_mm512_setzero_si512(); 2];
    for (x, q) in row.as_chunks::<64>().0.iter().zip(query.as_chunks::<64>().0) {
        for ((sum, x), q) in sums.iter_mut().zip(x.as_chunks::<32>().0).zip(q.as_chunks::<32>().0) {
            *sum = _mm512_add_epi32(*sum, _mm512_madd_epi16(widen_i8(x), load_i16(q)));
        }
    }
    sum_sixteen_integers(_mm512_add_epi32(sums[0], sums[1]))
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni,avx2")]
fn integer_vnni(row: &[i8], query: &[i16]) -> i32 {
    let mut sums = [_mm512_setzero_si512(); 2];
    for (x, q) in row.as_chunks::<64>().0.iter().zip(query.as_chunks::<64>().0) {
        for ((sum, x), q) in sums.iter_mut().zip(x.as_chunks::<32>().0).zip(q.as_chunks::<32>().0) {
            *sum = _mm512_dpwssd_epi32(*sum, widen_i8(x), load_i16(q));
        }
    }
    sum_sixteen_integers(_mm512_add_epi32(sums[0], sums[1]))
}

#[inline]
#[target_feature(enable = "avx512f,avx2")]
fn sum_sixteen_integers(lanes: __m512i) -> i32 {
    sum_integers(_mm256_add_epi32(_mm512_castsi512_si256(lanes), _mm512_extracti64x4_epi64::<1>(lanes)))
}

#[inline]
#[target_feature(enable = "avx512f")]
fn widen(row: &[f16; 16]) -> __m512 {
    // SAFETY: the array is 32 bytes long, and the load needs no alignment.
    _mm512_cvtph_ps(unsafe { _mm256_loadu_si256(row.as_ptr().cast()) })
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn widen_i8(row: &[i8; 32]) -> __m512i {
    // SAFETY: the array is 32 bytes long, and the load needs no alignment.
    _mm512_cvtepi8_epi16(unsafe { _mm256_loadu_si256(row.as_ptr().cast()) })
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load_f32(values: &[f32; 16]) -> __m512 {
    // SAFETY: the array is 64 bytes long, and the load needs no alignment.
    unsafe { _mm512_loadu_ps(values.as_ptr()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load_i16(values: &[i16; 32]) -> __m512i {
    // SAFETY: the array is 64 bytes long, and the load needs no alignment.
    unsafe { _mm512_loadu_si512(values.as_ptr().cast()) }
}
