//! Exact batched top-k similarity over fp16 rows, with forgetting in the score.
//!
//! A row is a unit vector with a clock and an importance; it belongs to a group. A query asks for the k best
//! *groups*. This crate knows nothing else: not what a row means, where vectors come from, or who may see what
//! beyond the mask it is given. It is not an approximate index, opens no file
//! (it writes and reads [images](Rows::export) of rows as bytes) and reads no clock.
//!
//! # The contract
//!
//! - **Score.** `fma(w_sim, dot, fma(w_ret, R, w_imp · importance))`, every operation in fp32 and in a fixed order,
//!   so a score is the same bits on every instruction set and, later, on a GPU: [`dot`](dot()), [`retention`](retention()), [`fuse`].
//! - **Retention.** `R = 2^(−a·dt)` or `(1 + a·dt)^(−b)` of the row's age at the batch's `now_us`; in [0, 1]. Or what the
//!   query's column says of the row ([`Query::retention`]).
//! - **Order.** A group has the score of its best row (ties: lowest ordinal, then row). Groups rank by score
//!   descending, then id ascending. There are k hits if k groups have a row that is alive and allowed.
//! - **Exactness.** A first pass over int8 images reads half the bytes and skips only rows that a Cauchy-Schwarz
//!   bound proves too low. Hits never depend on the pass, the instruction set or the batch.
//! - **Bounds.** At most [`MAX_DIMS`] elements, [`MAX_K`] hits, [`MAX_QUERIES`] queries; weights in [0,
//!   [`MAX_WEIGHT`]]. No input makes it panic; NaN and infinities are refused where they enter.
//!
//! # How to add a back end
//!
//! 1. Write one file beside `cpu.rs`: a type that owns the rows, or a device copy of them, and implements
//!    [`ScanBackend`]. Its running scan implements [`BatchScan`].
//! 2. Compute scores as in `scoring/`, with the same operations in the same order. A first pass may use other
//!    arithmetic if an error bound proves that it prunes no row of the answer; finalists are rescored canonically.
//! 3. Validate input as [`Rows`] does. Add device failures as variants of [`SearchError`] and [`RowsError`].
//! 4. Support every `k`, mask and range within the bounds above; a device limit is no reason to refuse a query.
//! 5. Run the contract: one line `backend_contract!(name, open)` in `tests/backends.rs`. Do not change the contract.
//! 6. Choose the back end where the rows are made; callers hold a `Box<dyn ScanBackend>` and need no other change.
//!
//! # Example
//!
//! ```
//! use gpu_retrieval::{Batch, Query, Row, Rows, Decay, Weights, unit_fp16};
//!
//! let mut rows = Rows::new(3)?;
//! let day_us = 86_400_000_000;
//! let halved_daily = |t0_us| Decay { t0_us, rate_per_us: 1.0 / day_us as f32, ..Decay::default() };
//! for (id, direction, learned_us) in [(7, [1.0, 0.0, 0.0], 0), (8, [0.9, 0.1, 0.0], 5 * day_us)] {
//!     let group = rows.add_group(id)?;
//!     let vector = unit_fp16(&direction)?;
//!     rows.push(&Row { vector: &vector, group, ordinal: 0, decay: halved_daily(learned_us) })?;
//! }
//!
//! let vector = [1.0, 0.0, 0.0];
//! let similar = Query { vector: &vector, k: 1, weights: Weights::SIMILARITY, retention: None, mask: None, ranges: None };
//! let fresh = Query { weights: Weights { retention: 0.5, ..Weights::SIMILARITY }, ..similar };
//! let answers = rows.search(&Batch { now_us: 5 * day_us, queries: &[similar, fresh] })?;
//!
//! assert_eq!(answers[0].hits[0].group_id, 7);
//! assert_eq!(answers[1].hits[0].group_id, 8);
//! assert_eq!(answers[1].hits[0].retention, 1.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod backend;
mod cpu;
mod rows;
mod scoring;
mod search;
mod simd;

pub use backend::{BatchScan, ScanBackend};
pub use rows::{
    Compaction, DELETED, Decay, ImageError, ImageRow, MAX_BLOCK_ROWS, Row, Rows, RowsError, TILE_ROWS,
};
pub use scoring::{
    LANES, MAX_DIMS, MAX_WEIGHT, VectorError, Weights, bias, dot, elapsed_us, exp2_nonpositive, fuse,
    log2_from_one, retention, unit_fp16,
};
pub use search::{
    Answer, Batch, Hit, MAX_K, MAX_QUERIES, Pass, PassChoice, Query, Scored, SearchError, SearchOptions,
    SharedSearch,
};
pub use simd::InstructionSet;
