//! Reserve of disk space in a data directory. Opening a database takes some space of its own, for the index of its
//! write-ahead log, and a server writes its announcement. On a full disk the reserve is given up for that, so that the store
//! can be found, read and erased from.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

/// Name of the file.
const FILE: &str = "engrain.reserve";
/// Size of the reserve, in bytes.
pub(super) const RESERVE_BYTES: usize = 1 << 20;
/// Space that must be free beside the reserve, in bytes: for an announcement, and an erasure of a few pages.
const ROOM_BYTES: usize = 256 << 10;

/// Makes the reserve if it is missing or short, and gives it up if there is no room beside it. Best effort: without it, a
/// store on a full disk may not open.
pub(super) fn keep(directory: &Path) {
    let path = directory.join(FILE);
    if !fs::metadata(&path).is_ok_and(|metadata| metadata.len() >= RESERVE_BYTES as u64)
        && let Err(error) = make(&path)
    {
        tracing::warn!(%error, "there is no space for the reserve of the store");
        release(directory);
        return;
    }
    if let Err(error) = try_room(&path)
        && matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
    {
        tracing::warn!("the disk is full: the reserve of the store is given up");
        release(directory);
    }
}

fn make(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // Written, since a file that was only made longer takes no space.
    options.open(path)?.write_all(&vec![0; RESERVE_BYTES])
}

/// Makes the reserve longer for a moment, which fails if there is no room beside it.
fn try_room(path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().append(true).open(path)?;
    let written = file.write_all(&vec![0; ROOM_BYTES]);
    file.set_len(RESERVE_BYTES as u64)?;
    written
}

/// Gives up the reserve; returns true if there was one.
pub(super) fn release(directory: &Path) -> bool {
    fs::remove_file(directory.join(FILE)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserve_has_its_size_however_often_and_from_whatever_it_is_kept() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join(FILE);
        for before in [None, Some(0), Some(RESERVE_BYTES), Some(RESERVE_BYTES + ROOM_BYTES)] {
            if let Some(length) = before {
                fs::write(&path, vec![0; length]).expect("written");
            }
            keep(directory.path());
            assert_eq!(fs::metadata(&path).expect("there").len(), RESERVE_BYTES as u64, "{before:?}");
        }
        assert!(release(directory.path()) && !release(directory.path()));
    }
}
