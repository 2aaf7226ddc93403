//! A model in the cache: its files, and whether they are the right ones.
//!
//! Whatever runs a model reads it here. Invariant: bytes of a pinned file that leave this module have the pinned sha256,
//! whether the catalogue pinned it or its first download.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::ModelError;
use super::entry::ModelEntry;
use super::hex::hex;

/// A model file is refused above this size: it is read into memory.
pub(super) const MAX_FILE_BYTES: u64 = 4 << 30;
/// The command that fetches what the catalogue pins.
const SET_UP: &str = "make setup";

/// A model and the folder with its files.
#[derive(Debug, Clone)]
pub struct CachedModel {
    /// What it is.
    pub entry: ModelEntry,
    folder: PathBuf,
}

impl CachedModel {
    pub(super) fn new(folder: PathBuf, entry: ModelEntry) -> Self {
        Self { entry, folder }
    }

    /// Where its files lie.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The bytes of a file and their sha256 in hex, checked against the pin where there is one.
    ///
    /// # Errors
    /// [`ModelError::FileMissing`] and [`ModelError::ChecksumMismatch`].
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

    /// Whether all its files are there; what is in them is not looked at.
    pub fn is_here(&self) -> bool {
        let needed = ["model.onnx", "tokenizer.json"].into_iter();
        needed
            .chain(self.entry.external_data.iter().map(String::as_str))
            .all(|file| self.folder.join(file).is_file())
    }

    /// The command that fetches its files; `None` for the user's own.
    fn remedy(&self) -> Option<String> {
        match &self.entry.origin {
            Some(_) => Some(format!("engrain models fetch {}", self.entry.name)),
            None if self.entry.files.is_empty() => None,
            None => Some(SET_UP.to_owned()),
        }
    }
}

/// Why a file could not be read.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fault {
    Missing,
    TooLarge(u64),
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
        }
    }
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, Fault> {
    match std::fs::metadata(path).map_err(|_| Fault::Missing)?.len() {
        bytes if bytes > MAX_FILE_BYTES => Err(Fault::TooLarge(bytes)),
        _ => std::fs::read(path).map_err(|_| Fault::Missing),
    }
}
