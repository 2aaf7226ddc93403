//! Cached model: its files, and their verification.
//!
//! Model files are read only here. Invariant: the bytes of a pinned file that leave this module have the pinned sha256,
//! whether the pin is from the catalogue or from the first download.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::ModelError;
use super::entry::ModelEntry;
use super::hex::hex;

/// Maximum size of a model file, in bytes, because it is read into memory.
pub(super) const MAX_FILE_BYTES: u64 = 4 << 30;
/// Command that fetches the models pinned by the catalogue.
const SET_UP: &str = "make setup";

/// Model in the cache.
#[derive(Debug, Clone)]
pub struct CachedModel {
    /// Description of the model.
    pub entry: ModelEntry,
    folder: PathBuf,
}

impl CachedModel {
    pub(super) fn new(folder: PathBuf, entry: ModelEntry) -> Self {
        Self { entry, folder }
    }

    /// Folder of the model's files.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Bytes of a file and their sha256 in hexadecimal, verified against the pin if there is one.
    ///
    /// # Errors
    /// [`ModelError::FileMissing`], [`ModelError::ChecksumMismatch`], and [`ModelError::Unusable`] for a file over the
    /// maximum size and for one that cannot be read.
    pub fn read(&self, file: &str) -> Result<(Vec<u8>, String), ModelError> {
        let path = self.folder.join(file);
        let bytes = read(&path).map_err(|fault| fault.of(&self.entry.name, &path, self.remedy()))?;
        let found = hex(&Sha256::digest(&bytes));
        match self.entry.files.iter().find(|pinned| pinned.path == file) {
            Some(pinned) if pinned.sha256 != found => Err(ModelError::ChecksumMismatch {
                path,
                expected: pinned.sha256.clone(),
                found,
                remedy: self.remedy().unwrap_or_else(|| SET_UP.to_owned()),
            }),
            _ => Ok((bytes, found)),
        }
    }

    /// True if all files exist; their contents are not read.
    pub fn is_here(&self) -> bool {
        let needed = ["model.onnx", "tokenizer.json"].into_iter();
        needed
            .chain(self.entry.external_data.iter().map(String::as_str))
            .all(|file| self.folder.join(file).is_file())
    }

    /// Command that fetches the files; `None` for a model that the user added.
    fn remedy(&self) -> Option<String> {
        match &self.entry.origin {
            Some(_) => Some(format!("engrain models fetch {}", self.entry.name)),
            None if self.entry.files.is_empty() => None,
            None => Some(SET_UP.to_owned()),
        }
    }
}

/// Reason for a failed read of a file.
#[derive(Debug)]
pub(super) enum Fault {
    Missing,
    TooLarge(u64),
    /// The file may be there: too many open files, no permission, a broken disk.
    Unreadable(std::io::Error),
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::NotFound => Self::Missing,
            _ => Self::Unreadable(error),
        }
    }
}

impl Fault {
    pub(super) fn of(self, model: &str, path: &Path, remedy: Option<String>) -> ModelError {
        let (model, path) = (model.to_owned(), path.to_owned());
        match self {
            Self::Missing => {
                let remedy =
                    remedy.map_or_else(|| "put it there".to_owned(), |command| format!("run `{command}`"));
                ModelError::FileMissing { model, path, remedy }
            }
            Self::TooLarge(bytes) => {
                let reason =
                    format!("{} has {bytes} bytes, at most {MAX_FILE_BYTES} are read", path.display());
                ModelError::Unusable { model, reason }
            }
            Self::Unreadable(error) => {
                let reason = format!("{} cannot be read: {error}", path.display());
                ModelError::Unusable { model, reason }
            }
        }
    }
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, Fault> {
    match std::fs::metadata(path)?.len() {
        bytes if bytes > MAX_FILE_BYTES => Err(Fault::TooLarge(bytes)),
        _ => Ok(std::fs::read(path)?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_read_is_not_told_to_be_missing() {
        let folder = tempfile::tempdir().unwrap();
        // A folder: its metadata can be read, its bytes cannot.
        let error = read(folder.path()).unwrap_err().of("m", folder.path(), None);
        assert!(
            matches!(&error, ModelError::Unusable { reason, .. } if reason.contains("cannot be read")),
            "{error}"
        );
        let absent = folder.path().join("model.onnx");
        let error = read(&absent).unwrap_err().of("m", &absent, None);
        assert!(matches!(error, ModelError::FileMissing { .. }), "{error}");
        let too_many = Fault::from(std::io::Error::from_raw_os_error(24));
        assert!(matches!(too_many, Fault::Unreadable(_)));
    }
}
