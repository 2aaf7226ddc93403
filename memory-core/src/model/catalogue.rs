//! Which models there are, where their files lie, and whether those are the right ones.
//!
//! The list is `catalogue.json`, embedded here and read by `scripts/fetch_models.py`: one list for both. A user may
//! add a model by a folder `models/<name>` in the cache that holds `model.onnx`, `tokenizer.json` and `model.json`
//! (a [`ModelEntry`] without `files`). Invariant: bytes of a catalogued model that leave this module have the pinned
//! sha256.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{ModelError, Pooling};

/// A model file is refused above this size: it is read into memory.
const MAX_FILE_BYTES: u64 = 4 << 30;

static CATALOGUE: LazyLock<Result<Catalogue, String>> =
    LazyLock::new(|| serde_json::from_str(include_str!("catalogue.json")).map_err(|error| error.to_string()));

/// The models and the runtime pinned by this version of Engrain.
///
/// # Errors
/// When the embedded list is malformed, which a test rules out.
pub fn catalogue() -> Result<&'static Catalogue, ModelError> {
    CATALOGUE
        .as_ref()
        .map_err(|reason| ModelError::Unusable { model: "catalogue.json".into(), reason: reason.clone() })
}

/// The embedded list.
#[derive(Debug, Deserialize)]
pub struct Catalogue {
    /// The library that runs the models.
    pub runtime: RuntimeEntry,
    /// Every model, the default of its task first.
    pub models: Vec<ModelEntry>,
}

/// The library that runs the models.
#[derive(Debug, Deserialize)]
pub struct RuntimeEntry {
    /// `onnxruntime`.
    pub name: String,
    /// The version that is fetched.
    pub version: String,
    /// The oldest version that works.
    pub minimum: String,
}

/// One model: what it is and how it wants to be used.
#[derive(Debug, Clone, Deserialize)]
pub struct ModelEntry {
    /// The name in configuration, and of its folder in the cache.
    #[serde(default)]
    pub name: String,
    /// What it does.
    pub task: Task,
    /// Components of a vector; an embedder has it.
    pub dimension: Option<usize>,
    /// How one vector is made from those of the tokens; an embedder has it.
    pub pooling: Option<Pooling>,
    /// Tokens that it reads at once, special tokens included.
    pub max_tokens: usize,
    /// Put before every query.
    #[serde(default)]
    pub query_prefix: String,
    /// Put before every passage.
    #[serde(default)]
    pub passage_prefix: String,
    /// The token that fills up a batch.
    pub pad_token: String,
    /// Pinned files; none for a model that the user added.
    #[serde(default)]
    pub files: Vec<PinnedFile>,
}

/// What a model does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Text to vector.
    Embed,
    /// Query and passage to score.
    Rerank,
}

/// A file of a model with its sha256.
#[derive(Debug, Clone, Deserialize)]
pub struct PinnedFile {
    /// Relative to the model's folder.
    pub path: String,
    /// In hex.
    pub sha256: String,
}

/// Where models and runtime lie: the layout that `scripts/fetch_models.py` writes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ModelCache {
    directory: PathBuf,
}

impl ModelCache {
    /// A cache in this folder.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }

    /// The cache that the environment names: `ENGRAIN_CACHE`, else `engrain` in `XDG_CACHE_HOME`, else
    /// `~/.cache/engrain`. `variable` looks up an environment variable; `None` when none of them is set.
    pub fn from_environment(variable: impl Fn(&str) -> Option<OsString>) -> Option<Self> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        set("ENGRAIN_CACHE")
            .or_else(|| set("XDG_CACHE_HOME").map(|base| base.join("engrain")))
            .or_else(|| set("HOME").map(|home| home.join(".cache").join("engrain")))
            .map(Self::new)
    }

    /// Where the pinned ONNX Runtime lies.
    ///
    /// # Errors
    /// As [`catalogue`].
    pub fn runtime_library(&self) -> Result<PathBuf, ModelError> {
        let runtime = &catalogue()?.runtime;
        let folder = format!("{}-{}", runtime.name, runtime.version);
        let file = format!("{}onnxruntime{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
        Ok(self.directory.join("runtime").join(folder).join(file))
    }

    /// The model of this name: from the catalogue, else from a `model.json` of the user.
    ///
    /// # Errors
    /// [`ModelError::UnknownModel`], and [`ModelError::Unusable`] for a malformed `model.json`.
    pub fn model(&self, name: &str, task: Task) -> Result<CachedModel, ModelError> {
        let known = &catalogue()?.models;
        let entry = match known.iter().find(|entry| entry.name == name) {
            Some(entry) => Some(entry.clone()),
            None => self.added_by_user(name)?,
        };
        match entry {
            Some(entry) if entry.task == task => {
                Ok(CachedModel { folder: self.directory.join("models").join(name), entry })
            }
            _ => Err(ModelError::UnknownModel {
                name: name.to_owned(),
                task: match task {
                    Task::Embed => "embed",
                    Task::Rerank => "rerank",
                },
                known: names(known, task),
            }),
        }
    }

    fn added_by_user(&self, name: &str) -> Result<Option<ModelEntry>, ModelError> {
        // A name is a folder of the cache, never a way out of it.
        if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)) || name.starts_with('.') {
            return Ok(None);
        }
        let path = self.directory.join("models").join(name).join("model.json");
        if !path.is_file() {
            return Ok(None);
        }
        let bytes = read(name, &path)?;
        let entry: ModelEntry = serde_json::from_slice(&bytes).map_err(|error| ModelError::Unusable {
            model: name.to_owned(),
            reason: format!("{} is malformed: {error}", path.display()),
        })?;
        Ok(Some(ModelEntry { name: name.to_owned(), files: Vec::new(), ..entry }))
    }
}

/// A model and the folder with its files.
#[derive(Debug, Clone)]
pub struct CachedModel {
    /// What it is.
    pub entry: ModelEntry,
    folder: PathBuf,
}

impl CachedModel {
    /// The bytes of a file and their sha256 in hex, checked against the pin where there is one.
    ///
    /// # Errors
    /// [`ModelError::FileMissing`] and [`ModelError::ChecksumMismatch`].
    pub fn read(&self, file: &str) -> Result<(Vec<u8>, String), ModelError> {
        let path = self.folder.join(file);
        let bytes = read(&self.entry.name, &path)?;
        let found = hex(&Sha256::digest(&bytes));
        match self.entry.files.iter().find(|pinned| pinned.path == file) {
            Some(pinned) if pinned.sha256 != found => {
                Err(ModelError::ChecksumMismatch { path, expected: pinned.sha256.clone(), found })
            }
            _ => Ok((bytes, found)),
        }
    }
}

fn read(model: &str, path: &Path) -> Result<Vec<u8>, ModelError> {
    let missing = |_| ModelError::FileMissing { model: model.to_owned(), path: path.to_owned() };
    let bytes = std::fs::metadata(path).map_err(missing)?.len();
    if bytes > MAX_FILE_BYTES {
        let reason = format!("{} has {bytes} bytes, at most {MAX_FILE_BYTES} are read", path.display());
        return Err(ModelError::Unusable { model: model.to_owned(), reason });
    }
    std::fs::read(path).map_err(missing)
}

fn names(known: &[ModelEntry], task: Task) -> String {
    let names: Vec<_> =
        known.iter().filter(|entry| entry.task == task).map(|entry| entry.name.as_str()).collect();
    names.join(", ")
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_list_is_whole() {
        let catalogue = catalogue().unwrap();
        for entry in &catalogue.models {
            assert!(entry.files.iter().any(|file| file.path == "model.onnx"), "{}", entry.name);
            assert!(entry.files.iter().any(|file| file.path == "tokenizer.json"), "{}", entry.name);
            assert!(entry.files.iter().all(|file| file.sha256.len() == 64), "{}", entry.name);
            let embeds = entry.task == Task::Embed;
            assert_eq!(
                (entry.dimension.is_some(), entry.pooling.is_some()),
                (embeds, embeds),
                "{}",
                entry.name
            );
        }
    }

    #[test]
    fn the_cache_follows_the_environment() {
        let from = |set: &[(&str, &str)]| {
            let found = ModelCache::from_environment(|name| {
                set.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value))
            });
            found.map(|cache| cache.directory)
        };
        assert_eq!(from(&[("ENGRAIN_CACHE", "/a"), ("HOME", "/h")]), Some("/a".into()));
        assert_eq!(from(&[("XDG_CACHE_HOME", "/x"), ("HOME", "/h")]), Some("/x/engrain".into()));
        assert_eq!(from(&[("ENGRAIN_CACHE", ""), ("HOME", "/h")]), Some("/h/.cache/engrain".into()));
        assert_eq!(from(&[]), None);
    }

    #[test]
    fn missing_and_changed_files_are_told_apart() {
        let directory = tempfile::tempdir().unwrap();
        let cache = ModelCache::new(directory.path());
        let model = cache.model("bge-small-en-v1.5", Task::Embed).unwrap();
        assert!(matches!(model.read("model.onnx"), Err(ModelError::FileMissing { .. })));
        std::fs::create_dir_all(directory.path().join("models/bge-small-en-v1.5")).unwrap();
        std::fs::write(directory.path().join("models/bge-small-en-v1.5/model.onnx"), b"no model").unwrap();
        assert!(matches!(model.read("model.onnx"), Err(ModelError::ChecksumMismatch { .. })));
    }

    #[test]
    fn a_folder_with_model_json_adds_a_model() {
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path().join("models/mine");
        std::fs::create_dir_all(&folder).unwrap();
        let cache = ModelCache::new(directory.path());
        assert!(matches!(cache.model("mine", Task::Embed), Err(ModelError::UnknownModel { .. })));
        let json = r#"{"task":"embed","dimension":8,"pooling":"mean","max_tokens":64,"query_prefix":"query: ","pad_token":"<pad>"}"#;
        std::fs::write(folder.join("model.json"), json).unwrap();
        let model = cache.model("mine", Task::Embed).unwrap();
        assert_eq!((model.entry.name.as_str(), model.entry.query_prefix.as_str()), ("mine", "query: "));
        std::fs::write(folder.join("model.json"), "{").unwrap();
        assert!(matches!(cache.model("mine", Task::Embed), Err(ModelError::Unusable { .. })));
        for outside in ["../models/mine", "..", ".", "", "a/b"] {
            assert!(
                matches!(cache.model(outside, Task::Embed), Err(ModelError::UnknownModel { .. })),
                "{outside}"
            );
        }
    }
}
