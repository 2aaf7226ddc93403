//! The integration tests of the crate. One program, because linking is what takes time.

mod exactness;
mod growth;
mod oracle;
mod refusals;
