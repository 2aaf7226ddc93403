//! Instruction sets and the table of kernels that each fills.
//!
//! It exists to run the same contract as fast as the machine at hand can, chosen at run time. Invariants: all
//! tables return the same bits for the same arguments, and a table is handed out only after the CPU was seen to
//! have its instructions, which is what makes its safe functions safe to call.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod generic;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
#[cfg(test)]
mod tests;

use half::f16;

use crate::contract::Weights;
use crate::rows::{Entry, Quantised, QuantisedQuery, TILE_ROWS};

/// One number per row of a tile.
pub(crate) type PerRow<T> = [T; TILE_ROWS];

/// The instructions that a search runs on. They differ in speed, never in results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum InstructionSet {
    /// Plain Rust; `mul_add` is a library call where the target has no such instruction.
    Portable,
    /// x86-64 with AVX2, FMA and F16C.
    Avx2,
    /// x86-64 with AVX-512 F, BW, DQ and VL; VNNI is used where present.
    Avx512,
    /// AArch64 with NEON.
    Neon,
}

impl InstructionSet {
    /// Every set known to this crate, slowest first.
    pub const ALL: [Self; 4] = [Self::Portable, Self::Neon, Self::Avx2, Self::Avx512];

    /// Whether this machine has it.
    #[must_use]
    pub fn is_available(self) -> bool {
        self.kernels().is_some()
    }

    /// The fastest one of this machine.
    #[must_use]
    pub fn best() -> Self {
        Self::ALL.into_iter().rev().find(|set| set.is_available()).unwrap_or(Self::Portable)
    }

    /// Its kernels, if this machine can run them. The answer of the CPU is cached by the standard library.
    pub(crate) fn kernels(self) -> Option<&'static Kernels> {
        match self {
            Self::Portable => Some(&portable::KERNELS),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => avx2::kernels(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => avx512::kernels(),
            #[cfg(target_arch = "aarch64")]
            Self::Neon => neon::kernels(),
            #[cfg_attr(
                not(any(target_arch = "x86_64", target_arch = "aarch64")),
                expect(unreachable_patterns, reason = "sets of other machines")
            )]
            _ => None,
        }
    }
}

/// What the scan calls, a tile or a row at a time so that a call through a pointer costs little.
///
/// Rows and queries are padded to the same multiple of 64 elements.
pub(crate) struct Kernels {
    /// The canonical dot product of a row with a widened query.
    pub(crate) dot: fn(&[f16], &[f32]) -> f32,
    /// `fuse`.
    pub(crate) fuse: fn(&Weights, f32, f32) -> f32,
    /// The retention of a row at `now_us`.
    pub(crate) retention: fn(&Entry, i64) -> f32,
    /// The bias of a row at `now_us`; retention is computed only if it weighs.
    pub(crate) bias: fn(&Weights, &Entry, i64) -> f32,
    /// An upper bound of a row's score from its int8 image and its bias.
    pub(crate) upper: fn(&[i8], Quantised, &QuantisedQuery, &Weights, f32) -> f32,
    /// `retention` of a tile.
    pub(crate) tile_retentions: fn(&PerRow<Entry>, i64, &mut PerRow<f32>),
    /// `bias` of a tile whose retentions are known.
    pub(crate) tile_biases: fn(&Weights, &PerRow<Entry>, &PerRow<f32>, &mut PerRow<f32>),
    /// `upper` of a tile, given its biases; returns the largest.
    pub(crate) tile_uppers: fn(TileBounds<'_>, &mut PerRow<f32>) -> f32,
    /// Asks for a row's memory ahead of its use.
    pub(crate) prefetch: fn(&[i8]),
}

/// What [`Kernels::tile_uppers`] reads.
#[derive(Clone, Copy)]
pub(crate) struct TileBounds<'a> {
    /// The int8 rows of the tile, one after the other.
    pub(crate) levels: &'a [i8],
    pub(crate) quantised: &'a PerRow<Quantised>,
    pub(crate) biases: &'a PerRow<f32>,
    pub(crate) query: &'a QuantisedQuery,
    pub(crate) weights: &'a Weights,
}
