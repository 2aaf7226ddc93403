//! Engrain exports of format 2, read and imported as they are: with ids, versions and derivations (ADR 0041).
//!
//! [`ArchiveReader`] reads a file record by record. [`ArchiveImport`] sends the records to a server in batches. A reference
//! may lead forwards in the file, so the file is read twice: the second time, only records are sent whose references led
//! nowhere the first time. Memory is bounded: one bit for each record, and a bounded table of the few items that the server
//! has under other ids.

mod reader;
#[cfg(feature = "client")]
mod sender;

pub use reader::{ArchiveReader, ArchiveRecord};
#[cfg(feature = "client")]
pub use sender::{ArchiveImport, ArchiveImported};
