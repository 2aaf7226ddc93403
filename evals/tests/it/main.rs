//! The integration tests of the crate. One program, because linking is what takes time.

mod end_to_end;
mod remembering;
