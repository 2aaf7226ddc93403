//! Model catalogue and model cache: descriptions of the known models, and the folders of their files.
//!
//! The catalogue is `catalogue.json`, embedded here and read by `scripts/fetch_models.py` too. Any other model is a
//! folder of the cache with `model.onnx`, `tokenizer.json` and `model.json` (a [`ModelEntry`]): written by `engrain
//! models fetch` with the sha256 of its files, or by the user without. Invariant: a name resolves to the description of
//! that model and of no other.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde::Deserialize;

use super::cached::read;
use super::{ModelError, name};

pub use super::cached::CachedModel;
pub use super::entry::{ModelEntry, Origin, PinnedFile};
pub use super::task::Task;

/// File name of a model's description in its folder.
pub(super) const DESCRIPTION: &str = "model.json";

static CATALOGUE: LazyLock<Result<Catalogue, String>> =
    LazyLock::new(|| serde_json::from_str(include_str!("catalogue.json")).map_err(|error| error.to_string()));

/// Models and runtime pinned by this version of Engrain.
///
/// # Errors
/// [`ModelError::Unusable`] if the embedded catalogue is malformed, which a test rules out.
pub fn catalogue() -> Result<&'static Catalogue, ModelError> {
    CATALOGUE
        .as_ref()
        .map_err(|reason| ModelError::Unusable { model: "catalogue.json".into(), reason: reason.clone() })
}

/// Catalogue: the contents of `catalogue.json`.
#[derive(Debug, Deserialize)]
pub struct Catalogue {
    /// Runtime library.
    pub runtime: RuntimeEntry,
    /// Models, with the default of each task first.
    pub models: Vec<ModelEntry>,
}

/// Runtime library that executes the models.
#[derive(Debug, Deserialize)]
pub struct RuntimeEntry {
    /// Name: `onnxruntime`.
    pub name: String,
    /// Version that is fetched.
    pub version: String,
    /// Minimum version that works.
    pub minimum: String,
}

/// Cache of models and runtime, in the layout that `scripts/fetch_models.py` writes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ModelCache {
    directory: PathBuf,
}

impl ModelCache {
    /// Cache in this folder.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }

    /// Cache named by the environment: `ENGRAIN_CACHE`, else `engrain` in `XDG_CACHE_HOME`, else `~/.cache/engrain`.
    /// `variable` looks up an environment variable; `None` if none of them is set.
    pub fn from_environment(variable: impl Fn(&str) -> Option<OsString>) -> Option<Self> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        set("ENGRAIN_CACHE")
            .or_else(|| set("XDG_CACHE_HOME").map(|base| base.join("engrain")))
            .or_else(|| set("HOME").map(|home| home.join(".cache").join("engrain")))
            .map(Self::new)
    }

    /// Path of the pinned ONNX Runtime.
    ///
    /// # Errors
    /// As [`catalogue`].
    pub fn runtime_library(&self) -> Result<PathBuf, ModelError> {
        let runtime = &catalogue()?.runtime;
        let folder = format!("{}-{}", runtime.name, runtime.version);
        let file = format!("{}onnxruntime{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
        Ok(self.directory.join("runtime").join(folder).join(file))
    }

    /// Folder of the cache.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Parent of the models' folders.
    pub(super) fn models(&self) -> PathBuf {
        self.directory.join("models")
    }

    /// Model of this name, from the catalogue or else from a `model.json`.
    ///
    /// # Errors
    /// [`ModelError::UnknownModel`] or [`ModelError::NotFetched`], and [`ModelError::Unusable`] for a malformed
    /// `model.json`.
    pub fn model(&self, name: &str, task: Task) -> Result<CachedModel, ModelError> {
        let known = &catalogue()?.models;
        let catalogued = known.iter().find(|entry| entry.name == name);
        let found = match catalogued {
            Some(entry) => name::folder(name).map(|folder| self.at(&folder, entry.clone())),
            None => self.added(name)?,
        };
        found.filter(|model| model.entry.task == task).ok_or_else(|| absent(name, task, known))
    }

    /// Model of this name outside the catalogue: fetched, or added by the user.
    pub(super) fn added(&self, name: &str) -> Result<Option<CachedModel>, ModelError> {
        let Some(folder) = name::folder(name) else { return Ok(None) };
        let path = self.models().join(&folder).join(DESCRIPTION);
        if !path.is_file() {
            return Ok(None);
        }
        let unusable = |reason: String| ModelError::Unusable { model: name.to_owned(), reason };
        let bytes = read(&path).map_err(|fault| fault.of(name, &path, None))?;
        let entry: ModelEntry = serde_json::from_slice(&bytes)
            .map_err(|error| unusable(format!("{} is malformed: {error}", path.display())))?;
        // Two names may map to one folder; the vectors of the two models must not be mixed.
        if !entry.name.is_empty() && entry.name != name {
            return Err(unusable(format!("{} describes the model `{}`", path.display(), entry.name)));
        }
        if let Some(file) = entry.external_data.iter().find(|file| name::folder(file).as_ref() != Some(*file))
        {
            return Err(unusable(format!("{}: `{file}` is no name of a file", path.display())));
        }
        Ok(Some(self.at(&folder, ModelEntry { name: name.to_owned(), ..entry })))
    }

    fn at(&self, folder: &str, entry: ModelEntry) -> CachedModel {
        CachedModel::new(self.models().join(folder), entry)
    }
}

/// Error for a model that does not exist, with the command that fetches it if there is one.
fn absent(name: &str, task: Task, known: &[ModelEntry]) -> ModelError {
    #[cfg(feature = "fastembed")]
    if let Some(model) = super::supported::find(name).filter(|model| model.task == task) {
        return match model.obstacle() {
            Some(reason) => ModelError::Unusable { model: name.to_owned(), reason: reason.to_owned() },
            None => ModelError::NotFetched { name: name.to_owned() },
        };
    }
    ModelError::UnknownModel { name: name.to_owned(), task: task.verb(), known: names(known, task) }
}

fn names(known: &[ModelEntry], task: Task) -> String {
    let names: Vec<_> =
        known.iter().filter(|entry| entry.task == task).map(|entry| entry.name.as_str()).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_catalogued_model_has_its_files_and_metadata() {
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
    fn the_cache_folder_follows_the_environment() {
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
    fn missing_and_changed_files_are_different_errors() {
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
