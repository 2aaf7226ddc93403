//! Discovery of the server of a data directory through `server.json`, which the server writes there and removes when it
//! stops.
//!
//! The file may be stale: a killed server leaves it behind, and another server may respond at its address. A server
//! owns the directory only if the directory is locked (the operating system releases the lock with the process) and
//! `/health` returns the instance id that is in the file.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use memory_core::store::StoreError;
use memory_core::store::sql::DirectoryLock;
use memory_core::store::sql::leftovers::PART_PREFIX;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

const FILE: &str = "server.json";
/// Maximum size of `server.json`, in bytes.
const MAX_FILE_BYTES: u64 = 64 << 10;

/// Contents of `server.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Announcement {
    /// Process id of the server.
    pub(crate) pid: u32,
    /// URL of the server.
    pub(crate) url: String,
    /// Version of the server.
    pub(crate) version: String,
    /// Instance id of this run, the same as at `/health`.
    pub(crate) instance: Uuid,
}

impl Announcement {
    /// Announcement of this process at `url`, with the id of this run.
    pub(crate) fn here(url: String, instance: Uuid) -> Self {
        Self { pid: std::process::id(), url, version: env!("CARGO_PKG_VERSION").to_owned(), instance }
    }

    /// Reads the announcement in the data directory; none without a file. Fails if the file is not readable as an
    /// announcement: it belongs to another user, is damaged, or is from a version without instance ids.
    pub(crate) fn read(data_dir: &Path) -> io::Result<Option<Self>> {
        let file = match File::open(data_dir.join(FILE)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut text = Vec::new();
        file.take(MAX_FILE_BYTES).read_to_end(&mut text)?;
        Ok(Some(serde_json::from_slice(&text)?))
    }

    /// Writes the announcement atomically. Only for the holder of the directory's lock. Dropping the [`Announced`]
    /// removes the file.
    pub(crate) fn write(&self, data_dir: &Path) -> io::Result<Announced> {
        let mut file = tempfile::Builder::new().prefix(PART_PREFIX).tempfile_in(data_dir)?;
        serde_json::to_writer_pretty(&mut file, self)?;
        file.flush()?;
        let path = data_dir.join(FILE);
        file.persist(&path).map_err(|error| error.error)?;
        Ok(Announced { path })
    }
}

/// Guard of the written file.
#[derive(Debug)]
pub(crate) struct Announced {
    path: PathBuf,
}

impl Drop for Announced {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::warn!(%error, "server.json could not be removed");
        }
    }
}

/// Owner process of a data directory, as far as the directory shows it.
#[derive(Debug)]
pub(crate) enum Holder {
    /// No process.
    Nobody {
        /// True if the `server.json` of a killed server was found and removed.
        left_behind: bool,
    },
    /// Process without a `server.json`: a command, or a server that is starting or stopping.
    Unannounced,
    /// Process with an unreadable `server.json`.
    Illegible(io::Error),
    /// Process with this announcement. The server at the announced address must confirm that the two belong together.
    Announced(Announcement),
}

/// Finds the process that owns the directory. A missing directory has no owner.
///
/// A `server.json` in a directory without an owner is removed while the lock is held, so that it is not mistaken for
/// the announcement of a later owner.
pub(crate) fn holder(data_dir: &Path) -> Result<Holder, StoreError> {
    if !data_dir.is_dir() {
        return Ok(Holder::Nobody { left_behind: false });
    }
    match DirectoryLock::take(data_dir) {
        Ok(_dropped_at_the_end) => {
            let left_behind = std::fs::remove_file(data_dir.join(FILE)).is_ok();
            Ok(Holder::Nobody { left_behind })
        }
        Err(StoreError::InUse { .. }) => Ok(match Announcement::read(data_dir) {
            Ok(Some(announced)) => Holder::Announced(announced),
            Ok(None) => Holder::Unannounced,
            Err(error) => Holder::Illegible(error),
        }),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here() -> Announcement {
        Announcement::here("http://127.0.0.1:1".to_owned(), Uuid::from_u128(7))
    }

    #[test]
    fn an_announcement_lasts_as_long_as_it_is_held() {
        let folder = tempfile::tempdir().expect("a directory");
        let read = || Announcement::read(folder.path());
        assert_eq!(read().expect("legible"), None);
        let announced = here().write(folder.path()).expect("written");
        assert_eq!(read().expect("legible"), Some(here()));
        drop(announced);
        assert_eq!(read().expect("legible"), None);
    }

    #[test]
    fn an_announcement_without_an_instance_id_is_unreadable() {
        let folder = tempfile::tempdir().expect("a directory");
        let held = DirectoryLock::take(folder.path()).expect("free");
        let of_an_earlier_version = r#"{"pid": 1, "url": "http://127.0.0.1:1", "version": "0.1.0"}"#;
        let too_long = format!("{}{}", " ".repeat(1 << 16), serde_json::to_string(&here()).expect("JSON"));
        for text in ["", "{", of_an_earlier_version, &too_long] {
            std::fs::write(folder.path().join(FILE), text).expect("written");
            assert!(Announcement::read(folder.path()).is_err(), "{text}");
            let found = holder(folder.path()).expect("readable");
            assert!(matches!(found, Holder::Illegible(_)), "{found:?}");
        }
        drop(held);
    }

    #[test]
    fn the_lock_shows_that_a_store_is_open() {
        let folder = tempfile::tempdir().expect("a directory");
        let found = |path: &Path| holder(path).expect("readable");
        assert!(matches!(found(folder.path()), Holder::Nobody { left_behind: false }));
        assert!(matches!(found(&folder.path().join("none")), Holder::Nobody { left_behind: false }));
        let held = DirectoryLock::take(folder.path()).expect("free");
        assert!(matches!(found(folder.path()), Holder::Unannounced));
        let announced = here().write(folder.path()).expect("written");
        assert!(matches!(found(folder.path()), Holder::Announced(one) if one == here()));
        std::mem::forget(announced); // as a killed server does
        drop(held);
        assert!(matches!(found(folder.path()), Holder::Nobody { left_behind: true }));
        assert!(matches!(found(folder.path()), Holder::Nobody { left_behind: false }), "it was removed");
    }
}
