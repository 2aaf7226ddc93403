//! Dot products with NEON: four fp32 or eight int16 products per instruction.
//!
//! The invariant: eight registers of four lanes are the contract's 32 lanes in order. fp16 is widened with integer
//! operations, since the conversion instructions are younger in Rust than the oldest compiler supported here.

#![expect(unsafe_code, reason = "vector loads; every block says why it is sound")]

use std::arch::aarch64::{
    float32x4_t, int16x8_t, int32x4_t, uint16x4_t, vaddq_f32, vaddq_s32, vaddvq_s32, vandq_u32, vdupq_n_f32,
    vdupq_n_s32, vdupq_n_u32, vextq_f32, vfmaq_f32, vget_high_s16, vget_low_s8, vget_low_s16, vgetq_lane_f32,
    vld1_u16, vld1q_f32, vld1q_s8, vld1q_s16, vmlal_s16, vmovl_high_s8, vmovl_s8, vmovl_u16, vmulq_f32,
    vorrq_u32, vreinterpretq_f32_u32, vreinterpretq_u32_f32, vshlq_n_u32,
};

use half::f16;

use super::generic::{self, DotProducts, kernels_with_features};
use super::kernels::{Kernels, PerRow, TileBounds};
use crate::rows::{Int8Params, QuantisedQuery, RowMeta};
use crate::scoring::{LANES, Weights};

kernels_with_features!(KERNELS, Neon, "neon");

/// The table, if the CPU has NEON (every AArch64 system with an operating system does).
pub(super) fn kernels() -> Option<&'static Kernels> {
    std::arch::is_aarch64_feature_detected!("neon").then_some(&KERNELS)
}

struct Neon;

impl DotProducts for Neon {
    #[inline(always)]
    fn canonical(row: &[f16], query: &[f32]) -> f32 {
        // SAFETY: called from functions of the table only, which have the feature enabled.
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

    fn prefetch(_row: &[i8]) {}
}

#[inline]
#[target_feature(enable = "neon")]
fn canonical(row: &[f16], query: &[f32]) -> f32 {
    let mut lanes = [vdupq_n_f32(0.0); 8];
    for (x, q) in row.as_chunks::<LANES>().0.iter().zip(query.as_chunks::<LANES>().0) {
        for ((lanes, x), q) in lanes.iter_mut().zip(x.as_chunks::<4>().0).zip(q.as_chunks::<4>().0) {
            *lanes = vfmaq_f32(*lanes, widen(x), load_f32(q));
        }
    }
    let [a, b, c, d, e, f, g, h] = lanes;
    let sixteen = [vaddq_f32(a, e), vaddq_f32(b, f), vaddq_f32(c, g), vaddq_f32(d, h)];
    let four = vaddq_f32(vaddq_f32(sixteen[0], sixteen[2]), vaddq_f32(sixteen[1], sixteen[3]));
    let two = vaddq_f32(four, vextq_f32::<2>(four, four));
    vgetq_lane_f32::<0>(vaddq_f32(two, vextq_f32::<1>(two, two)))
}

#[inline]
#[target_feature(enable = "neon")]
fn integer(row: &[i8], query: &[i16]) -> i32 {
    let mut sums = [vdupq_n_s32(0); 4];
    for (x, [low, high]) in row.as_chunks::<16>().0.iter().zip(query.as_chunks::<8>().0.as_chunks::<2>().0) {
        // SAFETY: the array is 16 bytes long, and the load needs no alignment.
        let x = unsafe { vld1q_s8(x.as_ptr()) };
        [sums[0], sums[1]] = add_products([sums[0], sums[1]], vmovl_s8(vget_low_s8(x)), low);
        [sums[2], sums[3]] = add_products([sums[2], sums[3]], vmovl_high_s8(x), high);
    }
    vaddvq_s32(vaddq_s32(vaddq_s32(sums[0], sums[1]), vaddq_s32(sums[2], sums[3])))
}

#[inline]
#[target_feature(enable = "neon")]
fn add_products(sums: [int32x4_t; 2], x: int16x8_t, query: &[i16; 8]) -> [int32x4_t; 2] {
    // SAFETY: the array is 16 bytes long, and the load needs no alignment.
    let q = unsafe { vld1q_s16(query.as_ptr()) };
    [
        vmlal_s16(sums[0], vget_low_s16(x), vget_low_s16(q)),
        vmlal_s16(sums[1], vget_high_s16(x), vget_high_s16(q)),
    ]
}

/// fp16 to fp32, exact for every finite number: exponent and mantissa move into place, and a multiplication by
/// 2^112 corrects the exponent's bias and normalises subnormals at once.
#[inline]
#[target_feature(enable = "neon")]
fn widen(row: &[f16; 4]) -> float32x4_t {
    // SAFETY: the array is 8 bytes long, the load needs no alignment, and `f16` is a transparent u16.
    let half: uint16x4_t = unsafe { vld1_u16(row.as_ptr().cast()) };
    let wide = vmovl_u16(half);
    let magnitude = vshlq_n_u32::<13>(vandq_u32(wide, vdupq_n_u32(0x7fff)));
    let scaled = vmulq_f32(vreinterpretq_f32_u32(magnitude), vdupq_n_f32(f32::from_bits((127 + 112) << 23)));
    let sign = vshlq_n_u32::<16>(vandq_u32(wide, vdupq_n_u32(0x8000)));
    vreinterpretq_f32_u32(vorrq_u32(vreinterpretq_u32_f32(scaled), sign))
}

#[inline]
#[target_feature(enable = "neon")]
fn load_f32(values: &[f32; 4]) -> float32x4_t {
    // SAFETY: the array is 16 bytes long, and the load needs no alignment.
    unsafe { vld1q_f32(values.as_ptr()) }
}
