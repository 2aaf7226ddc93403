//! Fault campaign over real processes: kills at moments of a seed, damaged and missing files, a full disk, connections that
//! hold on. `make test` runs a sample of fixed seeds, `make test-long` many of a random one.
//!
//! Every server here has its log kept, and a panic in one fails the test whatever else it looks at.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[cfg(unix)]
mod connections;
mod damage;
#[cfg(target_os = "linux")]
mod full_disk;
mod kills;
mod ledger;
mod watched;
