//! File with the key of the keyed digests, beside the database (ADR 0030): 32 random bytes that only the owner of the
//! process may read. It is no part of a backup, so that who gets hold of a copy cannot try out what its digests stand for.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use super::store::digest_key::random_key;
use super::{StoreError, unavailable};
use crate::domain::keyed_digest::KeyedDigest;

/// Name of the key file in a data directory.
pub const DIGEST_KEY_FILE: &str = "digest.key";

/// Name of a key file that is being written. A process that died left it, and the next one writes it anew.
const UNFINISHED_KEY_FILE: &str = "digest.key.new";

/// Reads the key of the directory, or makes one. The caller holds the lock of the directory. A store that is not new and
/// has none has lost it, or is of a version without keys: the log says so.
pub(super) fn read_or_create(directory: &Path, is_new: bool) -> Result<KeyedDigest, StoreError> {
    match std::fs::read(directory.join(DIGEST_KEY_FILE)) {
        Ok(bytes) => match <[u8; KeyedDigest::KEY_BYTES]>::try_from(bytes) {
            Ok(key) => Ok(KeyedDigest::new(key)),
            Err(bytes) => {
                let bytes = bytes.len();
                tracing::warn!(bytes, "{DIGEST_KEY_FILE} is not a key, and is replaced by a new one");
                create(directory)
            }
        },
        Err(error) if error.kind() == ErrorKind::NotFound => {
            if !is_new {
                tracing::warn!(
                    "{DIGEST_KEY_FILE} is missing, and is made anew: repeated requests, and items that were erased, are \
                     no longer recognised"
                );
            }
            create(directory)
        }
        Err(error) => Err(unavailable(error)),
    }
}

/// Writes a new key under another name first: a key file is there whole or not at all.
fn create(directory: &Path) -> Result<KeyedDigest, StoreError> {
    let key = random_key()?;
    let unfinished = directory.join(UNFINISHED_KEY_FILE);
    let written = || -> std::io::Result<()> {
        match std::fs::remove_file(&unfinished) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = private().open(&unfinished)?;
        file.write_all(&key)?;
        file.sync_all()?;
        std::fs::rename(&unfinished, directory.join(DIGEST_KEY_FILE))?;
        sync_directory(directory)
    };
    written().map_err(unavailable)?;
    Ok(KeyedDigest::new(key))
}

/// Options of a new file that only its owner may read, from its first byte on.
fn private() -> OpenOptions {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Makes the new name durable. Elsewhere than on Unix a directory cannot be opened as a file.
#[cfg_attr(not(unix), expect(clippy::unnecessary_wraps, reason = "Unix has errors"))]
fn sync_directory(directory: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    File::open(directory)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = directory;
    Ok(())
}
