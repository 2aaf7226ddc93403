//! What Engrain talks about, as plain values: no I/O, no clock, no serialised shapes.
//!
//! Three layers, kept apart by type. The *source* layer ([`turn`]) is what was said, and never changes. The
//! *memory* layer ([`memory`]) is what is remembered of it: versioned, and each derived memory names through its
//! [`derivation`] everything that was shown to whatever made it. The *scope* ([`scope`]) says whose it all is.

pub mod change;
pub mod clock;
pub mod derivation;
pub mod embedder;
pub mod filter;
pub mod id;
pub mod job;
pub mod link;
pub mod memory;
pub mod metadata;
pub mod name;
pub mod number;
pub mod scope;
pub mod time;
pub mod turn;
