//! Search: batched top-k over [`Rows`](crate::Rows), and the validation of queries.
//!
//! Invariants: an answer depends on the rows and the query alone, never on the instruction set, the pass, the other
//! queries of the batch or the thread; any input gives an answer or a typed error.

mod answer;
mod certified;
mod column;
mod exact;
mod query_state;
mod request;
mod scan;
mod score_rows;
mod shared;
mod tile;
mod top_groups;
mod validate;

pub use answer::{Answer, Hit, Scored};
pub use request::{Batch, MAX_K, MAX_QUERIES, Pass, PassChoice, Query, SearchOptions};
pub use shared::SharedSearch;
pub use validate::SearchError;
