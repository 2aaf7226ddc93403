//! Error of an import into a server, with the place in the file.

use super::error::{FormatError, SourceLocation};
use crate::client::Error;

/// Cause of an incomplete import.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file cannot be read.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// A batch could not be added.
    #[error("{location}: cannot be added")]
    Add {
        /// Beginning of the batch in the file.
        location: SourceLocation,
        /// Why.
        #[source]
        source: Error,
    },
    /// Records of an owner in an export could not be written.
    #[error("{location}: the records of {owner} cannot be added")]
    Restore {
        /// First of the records in the file.
        location: SourceLocation,
        /// Kind and id of the owner.
        owner: String,
        /// Why.
        #[source]
        source: Error,
    },
    /// The store has another content under the key of an item, and reading is strict.
    #[error("{location}: {reason}")]
    Conflicting {
        /// Location of the item in the file.
        location: SourceLocation,
        /// Description with the key.
        reason: String,
    },
}
