//! SIMD dispatch: instruction sets, and the kernel table of each.
//!
//! The table is chosen at run time. Invariants: all tables return the same bits for the same arguments; a table is
//! handed out only after the CPU has reported its features, which makes its safe functions sound.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod generic;
mod kernels;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
#[cfg(test)]
mod tests;

pub(crate) use kernels::{Kernels, PerRow, TileBounds};

/// An instruction set. Sets differ in speed, never in results.
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

    /// True if this machine supports the instruction set.
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
