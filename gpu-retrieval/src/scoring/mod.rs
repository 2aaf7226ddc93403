//! The scoring contract: the canonical score of a row, defined to the last bit.
//!
//! Everything here is plain IEEE-754 binary32 arithmetic, round to nearest, with every operation and its order
//! written out: fused multiply-adds where `mul_add` stands, no contraction anywhere else, no libm. Any back end
//! (a SIMD path of this crate, a later CUDA kernel) must return the same bits, and may compute differently only
//! what cannot change them. The modules are the reference text; `docs/adr/0010-bit-exact-scores.md` gives the reasons.

mod dot;
mod exp2;
mod retention;
mod score;

pub(crate) use dot::dot_padded;
pub use dot::{LANES, MAX_DIMS, VectorError, dot, unit_fp16};
pub use exp2::{exp2_nonpositive, log2_from_one};
pub use retention::{elapsed_us, retention};
pub use score::{MAX_WEIGHT, Weights, bias, fuse};
