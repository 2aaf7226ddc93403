//! Files and directories that only their owner can read, from the first byte: modes 0600 and 0700 on Unix. Elsewhere the
//! rights are those of the parent directory.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::path::Path;

/// Options of a file that gets mode 0600 if it is created.
pub fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Creates a new, empty file.
///
/// Errors: [`io::ErrorKind::AlreadyExists`], and those of the system.
pub fn create_new(file: &Path) -> io::Result<File> {
    options().write(true).create_new(true).open(file)
}

/// Creates a directory with its missing parents, unless it is there. Returns true if it was made.
pub(super) fn create_directory(directory: &Path) -> io::Result<bool> {
    if directory.is_dir() {
        return Ok(false);
    }
    if let Some(parent) = directory.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists || !directory.is_dir() => Err(error),
        made => Ok(made.is_ok()),
    }
}

/// Takes the rights of group and others away from the files of a store, and from its directory if it holds nothing else;
/// returns the names of those that were open. A failure is logged: a file system without modes has a store too.
#[cfg(unix)]
pub(super) fn narrow(directory: &Path, is_ours: impl Fn(&str) -> bool) -> Vec<String> {
    let mut narrowed = Vec::new();
    let mut holds_others = false;
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !is_ours(&name) {
            holds_others = true;
        } else if entry.file_type().is_ok_and(|kind| !kind.is_symlink()) && narrow_one(&entry.path()) {
            narrowed.push(name);
        }
    }
    if !holds_others && narrow_one(directory) {
        narrowed.push(".".to_owned());
    }
    narrowed
}

#[cfg(unix)]
fn narrow_one(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;

    let Ok(metadata) = fs::metadata(path) else { return false };
    let mut permissions = metadata.permissions();
    if permissions.mode() & 0o077 == 0 {
        return false;
    }
    permissions.set_mode(permissions.mode() & 0o700);
    match fs::set_permissions(path, permissions) {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(%error, path = %path.display(), "other users of this machine may read it");
            false
        }
    }
}

/// Does nothing: there are no modes.
#[cfg(not(unix))]
pub(super) fn narrow(_: &Path, _: impl Fn(&str) -> bool) -> Vec<String> {
    Vec::new()
}
