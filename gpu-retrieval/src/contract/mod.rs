//! The numerical contract: what a score *is*, to the last bit.
//!
//! Everything here is plain IEEE-754 binary32 arithmetic, round to nearest, with every operation and its order
//! written out: fused multiply-adds where `mul_add` stands, no contraction anywhere else, no libm. Any back end
//! (a SIMD path of this crate, a later CUDA kernel) must return the same bits, and may compute differently only
//! what cannot change them. The modules are the reference text; `docs/adr/0010-bit-exact-scores.md` says why.

mod dot;
mod exp2;
mod retention;
mod score;

pub(crate) use dot::dot_padded;
pub use dot::{VectorError, dot, unit_fp16};
pub use exp2::{exp2_nonpositive, log2_from_one};
pub use retention::{elapsed_us, retention};
pub use score::{MAX_WEIGHT, Weights, bias, fuse};

/// Partial sums of the canonical dot product: element `i` belongs to lane `i mod LANES`.
pub const LANES: usize = 32;

/// The longest vector, in elements. The integer pass needs a bound for its sums not to overflow.
pub const MAX_DIMS: usize = 4096;
