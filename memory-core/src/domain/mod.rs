//! Domain model, as plain values: no I/O, no clock, no wire format.
//!
//! Three layers with types of their own. The *source* layer ([`turn`]) contains conversations and is immutable. The
//! *memory* layer ([`memory`]) contains versioned records; a derived memory names, through its [`derivation`],
//! everything that was shown to its maker. The *scope* layer ([`scope`]) contains owners and callers.

pub mod annotation;
pub mod change;
pub mod clock;
pub mod consolidation;
pub mod derivation;
pub mod digest;
pub mod embedder;
pub mod filter;
pub mod forgotten;
pub mod given_time;
pub mod grant;
pub mod group;
pub mod id;
mod idempotency;
pub mod identity;
pub mod item_outcome;
pub mod job;
pub mod keyed_digest;
pub mod link;
pub mod memory;
pub mod metadata;
pub mod name;
mod new_memory;
pub mod number;
pub mod restoration;
pub mod scope;
pub mod split_mix;
pub mod statement;
pub mod time;
mod touch;
pub mod turn;
pub mod undo;
pub mod uses;
pub mod visible;
pub mod zone;
