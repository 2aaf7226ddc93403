//! Download of models by name from a hub into the cache, for `engrain models fetch`. A server never downloads.
//!
//! The first download is trusted and pinned: `model.json` keeps the commit and the sha256 of every file, and from then
//! on the cache returns no other bytes. Invariants: a file gets its final name only when it is complete and verified; a
//! model exists only with its `model.json`, which is written last; an interruption leaves its files in `downloads/`,
//! and the next attempt continues there.

mod client;
mod describe;
mod error;

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use sha2::{Digest, Sha256};

pub use self::error::HubError;

use self::client::{HubClient, Listing};
use self::describe::SmallFiles;
use super::cached::MAX_FILE_BYTES;
use super::catalogue::{
    CachedModel, DESCRIPTION, ModelCache, ModelEntry, Origin, PinnedFile, Task, catalogue,
};
use super::hex::hex;
use super::supported::{self, SupportedModel};
use super::{ModelError, name, prefixes};

/// Address of Hugging Face.
const HUGGING_FACE: &str = "https://huggingface.co";
/// Branch of a first download.
const BRANCH: &str = "main";
/// Maximum size of the small JSON files that describe a model, in bytes.
const MAX_SMALL_BYTES: u64 = 4 << 20;
/// Bytes read at a time for a digest.
const CHUNK_BYTES: usize = 1 << 20;

/// Settings of a hub.
#[derive(Clone)]
pub struct HubSettings {
    /// Address.
    pub endpoint: String,
    /// Bearer token.
    pub token: Option<String>,
    /// Number of retries after a broken connection or a transient error.
    pub retries: u32,
    /// Wait before the first retry; doubled for each further one.
    pub backoff: Duration,
}

impl HubSettings {
    /// Settings from the environment, as the hub's own tools read them: `HF_ENDPOINT` for another hub or a mirror,
    /// `HF_TOKEN` for private repositories. `variable` looks up an environment variable.
    pub fn from_environment(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let set = |name: &str| {
            let value = variable(name)?.into_string().ok()?.trim().to_owned();
            (!value.is_empty()).then_some(value)
        };
        Self {
            endpoint: set("HF_ENDPOINT").unwrap_or_else(|| HUGGING_FACE.to_owned()),
            token: set("HF_TOKEN"),
            retries: 3,
            backoff: Duration::from_secs(1),
        }
    }
}

impl std::fmt::Debug for HubSettings {
    /// Debug output without the token.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("HubSettings").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// Progress of a download.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// File in the repository.
    pub file: &'a str,
    /// Bytes of the model present.
    pub done_bytes: u64,
    /// Bytes of the model in total, as listed by the hub.
    pub total_bytes: u64,
}

/// Outcome of a fetch.
#[derive(Debug)]
pub enum Fetched {
    /// The model existed, and every file has its pinned sha256.
    Here(CachedModel),
    /// The model was downloaded.
    New(CachedModel),
}

/// File to fetch: its path in the repository, and its name in the cache.
struct FileToFetch {
    remote: String,
    local: String,
}

/// Fetches the model of this name into the cache; for a damaged one, the pinned files.
///
/// # Errors
/// [`HubError`].
pub async fn fetch(
    cache: &ModelCache,
    settings: &HubSettings,
    name: &str,
    progress: &mut (dyn FnMut(Progress<'_>) + Send),
) -> Result<Fetched, HubError> {
    let model = fetchable(name)?;
    let pinned = match cache.added(name)? {
        Some(there) if there.entry.origin.is_none() => {
            return Err(HubError::Own { folder: there.folder().to_owned() });
        }
        Some(there) if is_whole(&there) => return Ok(Fetched::Here(there)),
        damaged => damaged.map(|there| there.entry),
    };
    let client = HubClient::new(settings)?;
    let revision =
        pinned.as_ref().and_then(|entry| entry.origin.as_ref()).map_or(BRANCH, |from| &from.revision);
    let listing = client.listing(&model.repository, revision).await?;
    let staging = Staging::open(cache, name, &listing.revision)?;
    let files = download(&client, &listing, model, &staging, progress).await?;
    let entry = match pinned {
        Some(pinned) => same(pinned, &files)?,
        None => describe(&client, &listing, model, &settings.endpoint, files).await?,
    };
    staging.install(cache, &entry)?;
    let installed = cache.added(name)?.ok_or_else(|| HubError::Answer {
        what: name.to_owned(),
        reason: "it vanished from the cache while it was installed".to_owned(),
    })?;
    Ok(Fetched::New(installed))
}

fn fetchable(name: &str) -> Result<&'static SupportedModel, HubError> {
    if catalogue()?.models.iter().any(|entry| entry.name == name) {
        return Err(HubError::Pinned { name: name.to_owned() });
    }
    let model = supported::find(name)
        .ok_or_else(|| HubError::Unknown { name: name.to_owned(), like: supported::like(name) })?;
    match model.obstacle() {
        Some(reason) => {
            Err(ModelError::Unusable { model: name.to_owned(), reason: reason.to_owned() }.into())
        }
        None => Ok(model),
    }
}

fn is_whole(model: &CachedModel) -> bool {
    model.is_here() && model.entry.files.iter().all(|file| model.read(&file.path).is_ok())
}

/// Downloads and verifies the files of a model, and returns their digests.
async fn download(
    client: &HubClient,
    listing: &Listing,
    model: &SupportedModel,
    staging: &Staging,
    progress: &mut (dyn FnMut(Progress<'_>) + Send),
) -> Result<Vec<PinnedFile>, HubError> {
    let files = files_to_fetch(model);
    let mut total_bytes = 0;
    for file in &files {
        let announced = listing.files.get(&file.remote).ok_or_else(|| HubError::Answer {
            what: listing.repository.clone(),
            reason: format!("the repository holds no {} at {}", file.remote, listing.revision),
        })?;
        if announced.bytes.is_some_and(|bytes| bytes > MAX_FILE_BYTES) {
            return Err(HubError::TooLarge { what: file.remote.clone(), limit: MAX_FILE_BYTES });
        }
        total_bytes += announced.bytes.unwrap_or(0);
    }
    let mut before = 0;
    let mut pins = Vec::new();
    for file in &files {
        let place = staging.folder.join(&file.local);
        if !place.is_file() {
            let part = staging.folder.join(format!("{}.part", file.local));
            let mut report =
                |done| progress(Progress { file: &file.remote, done_bytes: before + done, total_bytes });
            client.download(listing, &file.remote, &part, &mut report).await?;
            check(listing, file, &part)?;
            renamed(&part, &place)?;
        }
        let sha256 = sum(&place)?;
        before += fs::metadata(&place).map_or(0, |metadata| metadata.len());
        pins.push(PinnedFile { path: file.local.clone(), sha256 });
    }
    Ok(pins)
}

fn files_to_fetch(model: &SupportedModel) -> Vec<FileToFetch> {
    let named =
        |remote: &str, local: &str| FileToFetch { remote: remote.to_owned(), local: local.to_owned() };
    // The tokenizer first: a small file reveals soonest if the hub refuses access.
    let mut files = vec![named("tokenizer.json", "tokenizer.json"), named(&model.model_file, "model.onnx")];
    files.extend(model.external_files.iter().map(|remote| named(remote, base_name(remote))));
    files
}

/// Name by which the graph refers to its weights.
fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Verifies a download against the listing. A file that differs is deleted.
fn check(listing: &Listing, file: &FileToFetch, part: &Path) -> Result<(), HubError> {
    let announced = listing.files.get(&file.remote).and_then(|announced| announced.sha256.clone());
    let Some(expected) = announced else { return Ok(()) };
    let found = sum(part)?;
    if found == expected {
        return Ok(());
    }
    let _ = fs::remove_file(part);
    Err(HubError::Changed { file: file.remote.clone(), expected, found, by: "what the hub lists" })
}

/// The pinned entry, if its files are these.
fn same(pinned: ModelEntry, files: &[PinnedFile]) -> Result<ModelEntry, HubError> {
    for expected in &pinned.files {
        let found = files.iter().find(|file| file.path == expected.path).map(|file| file.sha256.clone());
        if found.as_ref() != Some(&expected.sha256) {
            return Err(HubError::Changed {
                file: expected.path.clone(),
                expected: expected.sha256.clone(),
                found: found.unwrap_or_else(|| "none".to_owned()),
                by: "pinned by the first download",
            });
        }
    }
    Ok(pinned)
}

/// Description of the model from `fastembed`'s list, its own small files, and the prefixes of its family.
async fn describe(
    client: &HubClient,
    listing: &Listing,
    model: &SupportedModel,
    endpoint: &str,
    files: Vec<PinnedFile>,
) -> Result<ModelEntry, HubError> {
    let mut small = SmallFiles::default();
    for (file, into) in [
        ("config.json", &mut small.config),
        ("tokenizer_config.json", &mut small.tokenizer_config),
        ("special_tokens_map.json", &mut small.special_tokens_map),
    ] {
        if listing.files.contains_key(file) {
            let bytes = client.small(listing, file, MAX_SMALL_BYTES).await?;
            *into = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        }
    }
    let (query_prefix, passage_prefix) = match model.task {
        Task::Embed => prefixes::of(&model.repository),
        Task::Rerank => ("", ""),
    };
    Ok(ModelEntry {
        name: model.name.clone(),
        task: model.task,
        dimension: model.dimension,
        pooling: model.pooling,
        output: model.output.clone(),
        max_tokens: small.max_tokens(),
        query_prefix: query_prefix.to_owned(),
        passage_prefix: passage_prefix.to_owned(),
        pad_token: small.pad_token(),
        external_data: model.external_files.iter().map(|file| base_name(file).to_owned()).collect(),
        files,
        origin: Some(Origin {
            hub: endpoint.to_owned(),
            repository: model.repository.clone(),
            revision: listing.revision.clone(),
            file: model.model_file.clone(),
        }),
    })
}

/// Staging folder of a model, invisible to readers; one process at a time.
struct Staging {
    folder: PathBuf,
    model: String,
    _lock: File,
}

impl Staging {
    fn open(cache: &ModelCache, name: &str, revision: &str) -> Result<Self, HubError> {
        let model = name::folder(name)
            .ok_or_else(|| HubError::Unknown { name: name.to_owned(), like: Vec::new() })?;
        // The name contains the commit, so that parts of two commits are never mixed.
        let folder = cache.directory().join("downloads").join(format!("{model}@{revision}"));
        fs::create_dir_all(&folder).map_err(storage(&folder))?;
        let path = folder.join(".lock");
        let lock = File::create(&path).map_err(storage(&path))?;
        lock.try_lock().map_err(|_| HubError::Busy { name: name.to_owned() })?;
        Ok(Self { folder, model, _lock: lock })
    }

    /// Moves the files to their final place, the description last, and deletes the rest.
    fn install(&self, cache: &ModelCache, entry: &ModelEntry) -> Result<(), HubError> {
        let target = cache.models().join(&self.model);
        fs::create_dir_all(&target).map_err(storage(&target))?;
        let text = serde_json::to_vec_pretty(entry).map_err(|error| HubError::Answer {
            what: entry.name.clone(),
            reason: format!("it cannot be described: {error}"),
        })?;
        let description = self.folder.join(DESCRIPTION);
        let written = File::create(&description)
            .and_then(|mut file| io::Write::write_all(&mut file, &text).and_then(|()| file.sync_all()));
        written.map_err(storage(&description))?;
        for file in entry.files.iter().map(|file| file.path.as_str()).chain([DESCRIPTION]) {
            renamed(&self.folder.join(file), &target.join(file))?;
        }
        let _ = fs::remove_dir_all(&self.folder);
        let _ = fs::remove_dir(cache.directory().join("downloads")); // if it is empty
        Ok(())
    }
}

fn renamed(from: &Path, to: &Path) -> Result<(), HubError> {
    fs::rename(from, to).map_err(storage(to))
}

fn storage(path: &Path) -> impl FnOnce(io::Error) -> HubError {
    let path = path.to_owned();
    move |source| HubError::Storage { path, source }
}

/// Sha256 of a file, in hexadecimal.
fn sum(path: &Path) -> Result<String, HubError> {
    let mut file = File::open(path).map_err(storage(path))?;
    let mut digest = Sha256::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        match file.read(&mut chunk).map_err(storage(path))? {
            0 => return Ok(hex(&digest.finalize())),
            bytes => digest.update(&chunk[..bytes]),
        }
    }
}
