//! Thinking end to end: the SDK, a real server process, and a scripted OpenAI-compatible service on a real socket.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests: what goes wrong fails the test"
)]

mod golden;
mod kills;
mod metrics;
mod month;
mod notes;
mod operations;
mod refusals;
mod script;
mod state;
mod story_of_notes;
mod undo;
