//! Inventory of models for users who choose one: of the catalogue, in the cache, and available for download.
//!
//! Invariant: only descriptions are read, and the existence of files is checked. The files themselves are not read,
//! because that takes seconds per gigabyte (`engrain doctor` does it).

use serde::Serialize;

use super::ModelError;
use super::catalogue::{DESCRIPTION, ModelCache, ModelEntry, Task, catalogue};
use super::supported::supported;

/// Maximum number of cache folders that are read.
const MAX_FOLDERS: usize = 1_000;

/// Model in the inventory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListedModel {
    /// Name for the configuration.
    pub name: String,
    /// Task; `None` if the folder's description is malformed.
    pub task: Option<Task>,
    /// Number of vector components.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dimension: Option<usize>,
    /// Source.
    pub source: Source,
    /// Availability.
    pub state: State,
    /// Commit that was fetched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Reason why it is unusable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

/// Source of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Pinned by this version of Engrain; `make setup` fetches the defaults.
    Catalogue,
    /// Folder that the user added.
    Own,
    /// Model hub; fetched by `engrain models fetch`.
    Hub,
}

/// Availability of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// All files are in the cache.
    Here,
    /// Not all files are in the cache.
    NotHere,
    /// Unusable; see `fault`.
    Unusable,
}

/// All models of the catalogue, in the cache, and available for download; each once.
///
/// # Errors
/// As [`catalogue()`].
pub fn inventory(cache: &ModelCache) -> Result<Vec<ListedModel>, ModelError> {
    let mut models = Vec::new();
    for entry in &catalogue()?.models {
        let is_here = cache.model(&entry.name, entry.task)?.is_here();
        models.push(listed(entry, Source::Catalogue, is_here));
    }
    for name in names_in(cache) {
        if models.iter().all(|model| model.name != name) {
            models.extend(in_cache(cache, &name));
        }
    }
    for model in supported() {
        if models.iter().all(|one| one.name != model.name) {
            let fault = model.obstacle().map(ToOwned::to_owned);
            models.push(ListedModel {
                name: model.name.clone(),
                task: Some(model.task),
                dimension: model.dimension,
                source: Source::Hub,
                state: if fault.is_some() { State::Unusable } else { State::NotHere },
                revision: None,
                fault,
            });
        }
    }
    models.sort_by_key(|model| model.source); // stable: within a source the order is that of above
    Ok(models)
}

/// Names of the models described in the cache, in order of their folders.
fn names_in(cache: &ModelCache) -> Vec<String> {
    let Ok(folders) = std::fs::read_dir(cache.models()) else { return Vec::new() };
    let mut folders: Vec<_> = folders
        .take(MAX_FOLDERS)
        .flatten()
        .map(|folder| folder.path())
        .filter(|folder| folder.join(DESCRIPTION).is_file())
        .collect();
    folders.sort();
    let name_of = |folder: &std::path::PathBuf| {
        // The description of a fetched model has its name; a user's folder is named as the model.
        let described = std::fs::read(folder.join(DESCRIPTION)).ok();
        let described = described.and_then(|bytes| serde_json::from_slice::<ModelEntry>(&bytes).ok());
        let folder = folder.file_name().map(|name| name.to_string_lossy().into_owned())?;
        Some(described.map(|entry| entry.name).filter(|name| !name.is_empty()).unwrap_or(folder))
    };
    folders.iter().filter_map(name_of).collect()
}

fn in_cache(cache: &ModelCache, name: &str) -> Option<ListedModel> {
    match cache.added(name) {
        Ok(Some(model)) => {
            let source = if model.entry.origin.is_some() { Source::Hub } else { Source::Own };
            Some(listed(&model.entry, source, model.is_here()))
        }
        Ok(None) => None,
        Err(error) => Some(ListedModel {
            name: name.to_owned(),
            task: None,
            dimension: None,
            source: Source::Own,
            state: State::Unusable,
            revision: None,
            fault: Some(error.to_string()),
        }),
    }
}

fn listed(entry: &ModelEntry, source: Source, is_here: bool) -> ListedModel {
    ListedModel {
        name: entry.name.clone(),
        task: Some(entry.task),
        dimension: entry.dimension,
        source,
        state: if is_here { State::Here } else { State::NotHere },
        revision: entry.origin.as_ref().map(|origin| origin.revision.clone()),
        fault: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_model_is_listed_once_with_its_state() {
        let directory = tempfile::tempdir().unwrap();
        let write = |folder: &str, json: &str| {
            let folder = directory.path().join("models").join(folder);
            std::fs::create_dir_all(&folder).unwrap();
            for file in ["model.onnx", "tokenizer.json"] {
                std::fs::write(folder.join(file), "x").unwrap();
            }
            std::fs::write(folder.join(DESCRIPTION), json).unwrap();
        };
        let rest = r#""task":"embed","dimension":8,"pooling":"mean","max_tokens":64,"pad_token":"<pad>""#;
        write("mine", &format!("{{{rest}}}"));
        write("broken", "{");
        let origin = r#""origin":{"hub":"h","repository":"BAAI/bge-m3","revision":"c0ffee","file":"f"}"#;
        write("BAAI--bge-m3", &format!(r#"{{"name":"BAAI/bge-m3",{rest},{origin}}}"#));
        let models = inventory(&ModelCache::new(directory.path())).unwrap();
        let of = |name: &str| {
            let found: Vec<_> = models.iter().filter(|model| model.name == name).collect();
            assert_eq!(found.len(), 1, "{name}");
            (found[0].source, found[0].state)
        };
        assert_eq!(of("bge-small-en-v1.5"), (Source::Catalogue, State::NotHere));
        assert_eq!(of("mine"), (Source::Own, State::Here));
        assert_eq!(of("broken"), (Source::Own, State::Unusable));
        assert_eq!(of("BAAI/bge-m3"), (Source::Hub, State::Here));
        assert_eq!(of("intfloat/multilingual-e5-small"), (Source::Hub, State::NotHere));
        assert_eq!(of("rozgo/bge-reranker-v2-m3"), (Source::Hub, State::Unusable));
        assert!(models.iter().any(|model| model.revision.as_deref() == Some("c0ffee")));
    }
}
