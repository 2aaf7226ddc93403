//! Fault campaign over real processes: kills at moments of a seed, damaged and missing files, a full disk, connections that
//! hold on. `make test` runs a sample of fixed seeds, `make test-long` many of a random one.
//!
//! `kills.rs` has kills of servers and commands in restores, backups, exports, imports, changes of embedder, erasures and
//! background vectors; `damage.rs` damaged, cut, emptied and missing files of a store; `rescue.rs` exports of damaged
//! stores; `full_disk.rs` a disk that is full and is not any more, skipped aloud where no tmpfs can be mounted;
//! `forgetting/` has kills of sweeps, and of erasures beside them; `grants.rs` has kills while grants are given and
//! revoked; `connections.rs` idle and slow connections; `outputs.rs` a log and notes that cannot be written. Beside it,
//! `crash.rs` has kills in concurrent writes, `reindex.rs` kills in changes of embedder with their rows looked at,
//! `leftovers.rs` many kills of commands alone, and `reimport.rs` killed imports whose idempotency keys have expired.
//! Schemathesis is `make fuzz-api`.
//!
//! Every server but those of `outputs.rs` has its log kept, and a panic in one fails the test whatever else it looks at.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "tests, which say what they skip"
)]

#[cfg(unix)]
mod connections;
mod damage;
mod forgetting;
#[cfg(target_os = "linux")]
mod full_disk;
mod grants;
mod kills;
mod ledger;
#[cfg(unix)]
mod outputs;
mod rescue;
mod watched;
