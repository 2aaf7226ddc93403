//! Reserve of disk space in a data directory. Opening a database takes some space of its own, for the index of its
//! write-ahead log. On a full disk the reserve is given up for that, so that the store can be read and erased from.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

/// Name of the file.
const FILE: &str = "engrain.reserve";
/// Size of the reserve, in bytes.
pub(super) const RESERVE_BYTES: usize = 1 << 20;

/// Makes the reserve if it is missing or short. Best effort: without it, a store on a full disk may not open.
pub(super) fn keep(directory: &Path) {
    let path = directory.join(FILE);
    if fs::metadata(&path).is_ok_and(|metadata| metadata.len() >= RESERVE_BYTES as u64) {
        return;
    }
    let mut options = OpenOptions::new();
    options.create(true).truncate(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // Written, since a file that was only made longer takes no space.
    let written = options.open(&path).and_then(|mut file| file.write_all(&vec![0; RESERVE_BYTES]));
    if let Err(error) = written {
        tracing::warn!(%error, "there is no space for the reserve of the store");
        release(directory);
    }
}

/// Gives up the reserve; returns true if there was one.
pub(super) fn release(directory: &Path) -> bool {
    fs::remove_file(directory.join(FILE)).is_ok()
}
