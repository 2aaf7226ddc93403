//! Fetching a model by name from a local hub: the cached files, embedding with them, and the cache after every fault.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::fake_hub::{self, FakeHub, sha256};
use memory_core::model::catalogue::{ModelCache, Task};
use memory_core::model::cross_encoder::{LocalReranker, LocalRerankerSettings};
use memory_core::model::hub::{Fetched, HubError, HubSettings, Progress, fetch};
use memory_core::model::local::{LocalEmbedder, LocalEmbedderSettings};
use memory_core::model::session::ModelLocation;
use memory_core::model::{Embedder, ModelError, Reranker};
use tempfile::TempDir;

/// Model of `fastembed`'s list that is the catalogue's default, in another precision.
const BGE: &str = "Xenova/bge-small-en-v1.5";
const FOLDER: &str = "models/Xenova--bge-small-en-v1.5";

fn settings(hub: &FakeHub) -> HubSettings {
    HubSettings { endpoint: hub.url.clone(), token: None, retries: 0, backoff: Duration::ZERO }
}

async fn fetched(cache: &TempDir, settings: &HubSettings, name: &str) -> Result<Fetched, HubError> {
    fetch(&ModelCache::new(cache.path()), settings, name, &mut |_| {}).await
}

/// Hub with a file that is not a model, for tests that do not run it.
fn small_hub() -> FakeHub {
    let model: Vec<u8> = (0..100_000u32).flat_map(u32::to_le_bytes).collect();
    FakeHub::start(BGE, [("onnx/model.onnx", model), ("tokenizer.json", vec![b'{'; 5_000])])
}

fn open(cache: &TempDir, model: &str) -> Result<LocalEmbedder, ModelError> {
    let settings =
        LocalEmbedderSettings { model: model.to_owned(), passage_workers: 1, ..Default::default() };
    LocalEmbedder::open(&location(cache), settings)
}

/// Cache of the test, with the runtime of the real one.
fn location(cache: &TempDir) -> ModelLocation {
    let runtime = ModelCache::new(fake_hub::cache()).runtime_library().unwrap();
    ModelLocation { cache: ModelCache::new(cache.path()), runtime_library: Some(runtime) }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries
        .flat_map(|entry| {
            let path = entry.unwrap().path();
            if path.is_dir() { files_below(&path) } else { vec![path] }
        })
        .collect();
    files.sort();
    files
}

#[tokio::test]
async fn a_fetched_model_is_pinned_and_embeds_like_the_catalogues() {
    let hub = FakeHub::with_cached(BGE, "bge-small-en-v1.5");
    let cache = tempfile::tempdir().unwrap();
    let before = open(&cache, BGE).unwrap_err();
    assert!(matches!(before, ModelError::NotFetched { .. }));
    assert!(before.to_string().contains("`engrain models fetch Xenova/bge-small-en-v1.5`"), "{before}");

    let mut steps = Vec::new();
    let mut progress = |step: Progress<'_>| steps.push((step.done_bytes, step.total_bytes));
    let model = match fetch(&ModelCache::new(cache.path()), &settings(&hub), BGE, &mut progress).await {
        Ok(Fetched::New(model)) => model,
        other => panic!("{other:?}"),
    };
    let (last, total) = *steps.last().unwrap();
    assert!(last == total && total > 1_000_000 && steps.is_sorted());
    let origin = model.entry.origin.clone().unwrap();
    assert_eq!((origin.repository.as_str(), origin.file.as_str()), (BGE, "onnx/model.onnx"));
    assert_eq!(origin.revision, hub.state().revision);
    assert_eq!((model.entry.max_tokens, model.entry.pad_token.as_str()), (512, "[PAD]"));
    for (path, remote) in [("model.onnx", "onnx/model.onnx"), ("tokenizer.json", "tokenizer.json")] {
        let pin = model.entry.files.iter().find(|file| file.path == path).unwrap();
        assert_eq!(pin.sha256, sha256(&hub.state().files[remote]));
    }
    let names = |files: Vec<PathBuf>| -> Vec<String> {
        files.iter().map(|file| file.strip_prefix(cache.path()).unwrap().display().to_string()).collect()
    };
    let expected = ["model.json", "model.onnx", "tokenizer.json"].map(|file| format!("{FOLDER}/{file}"));
    assert_eq!(names(files_below(cache.path())), expected, "nothing else is left behind");

    let fetched = open(&cache, BGE).unwrap();
    let own = ModelLocation { cache: ModelCache::new(fake_hub::cache()), runtime_library: None };
    let catalogued = LocalEmbedder::open(&own, LocalEmbedderSettings::default()).unwrap();
    assert_eq!(fetched.identity().name, BGE);
    let texts = ["Anna moved to Lisbon last spring.".to_owned()];
    assert_eq!(
        fetched.embed_passages(&texts).await.unwrap(),
        catalogued.embed_passages(&texts).await.unwrap()
    );
    assert_eq!(
        fetched.embed_query("Where is Anna?").await.unwrap(),
        catalogued.embed_query("Where is Anna?").await.unwrap(),
        "the query prefix of its family is applied"
    );
}

#[tokio::test]
async fn a_cross_encoder_is_fetched_like_an_embedder() {
    let name = "BAAI/bge-reranker-base";
    let hub = FakeHub::with_cached(name, "ms-marco-minilm-l-12-v2");
    let cache = tempfile::tempdir().unwrap();
    fetched(&cache, &settings(&hub), name).await.unwrap();
    let rerank = LocalRerankerSettings { model: name.to_owned(), workers: 1, ..Default::default() };
    let reranker = LocalReranker::open(&location(&cache), rerank).unwrap();
    assert!(reranker.identity().starts_with("BAAI/bge-reranker-base@"));
    let passages = ["Berlin has a population of 3,520,031.".to_owned()];
    assert_eq!(reranker.score("How many people live in Berlin?", &passages, None).await.unwrap().len(), 1);
    assert!(matches!(open(&cache, name), Err(ModelError::UnknownModel { .. })), "it embeds nothing");
}

#[tokio::test]
async fn a_changed_file_is_refused_and_repaired_with_the_pinned_one() {
    let hub = small_hub();
    let cache = tempfile::tempdir().unwrap();
    fetched(&cache, &settings(&hub), BGE).await.unwrap();
    assert!(matches!(fetched(&cache, &settings(&hub), BGE).await, Ok(Fetched::Here(_))));

    let path = cache.path().join(FOLDER).join("model.onnx");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[1000] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let refused = open(&cache, BGE).unwrap_err(); // the tokeniser is read first, and is none
    assert!(
        matches!(refused, ModelError::Unusable { .. } | ModelError::ChecksumMismatch { .. }),
        "{refused}"
    );
    let model = ModelCache::new(cache.path()).model(BGE, Task::Embed).unwrap();
    let refused = model.read("model.onnx").unwrap_err();
    assert!(matches!(refused, ModelError::ChecksumMismatch { .. }));
    assert!(refused.to_string().contains("`engrain models fetch Xenova/bge-small-en-v1.5`"), "{refused}");

    // The branch has moved, but not the fetched commit.
    assert!(matches!(fetched(&cache, &settings(&hub), BGE).await, Ok(Fetched::New(_))));
    assert!(model.read("model.onnx").is_ok());

    // The hub serves other bytes under the pinned commit.
    std::fs::write(&path, &bytes).unwrap();
    hub.state().files.insert("onnx/model.onnx".to_owned(), vec![7; 5_000]);
    let refused = fetched(&cache, &settings(&hub), BGE).await.unwrap_err();
    assert!(matches!(refused, HubError::Changed { by: "pinned by the first download", .. }), "{refused}");
    assert_eq!(std::fs::read(&path).unwrap(), bytes, "nothing was replaced");
}

#[tokio::test]
async fn a_broken_download_leaves_no_model_and_is_continued() {
    let hub = small_hub();
    let cache = tempfile::tempdir().unwrap();
    // The tokenizer breaks off; in the second attempt its last kilobyte is served, and the model breaks off.
    for (answers, tokens_here) in [(1, false), (2, true)] {
        hub.state().breaks_off = Some((answers, 4_000));
        let error = fetched(&cache, &settings(&hub), BGE).await.unwrap_err();
        assert!(error.is_transient() && error.to_string().contains("run it again"), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
        assert_eq!(files_below(&cache.path().join("models")), [] as [PathBuf; 0]);
        let left = files_below(&cache.path().join("downloads"));
        assert_eq!(left.iter().any(|file| file.ends_with("tokenizer.json")), tokens_here, "{left:?}");
        assert!(matches!(open(&cache, BGE), Err(ModelError::NotFetched { .. })));
    }
    hub.state().seen.clear();
    fetched(&cache, &settings(&hub), BGE).await.unwrap();
    let requested: Vec<String> = hub.state().seen.iter().map(|(path, _)| path.clone()).collect();
    assert!(
        requested.iter().all(|path| !path.contains("tokenizer.json")),
        "what was here was not fetched again"
    );
    let model = ModelCache::new(cache.path()).model(BGE, Task::Embed).unwrap();
    assert_eq!(model.read("model.onnx").unwrap().0, hub.state().files["onnx/model.onnx"]);
    assert!(!cache.path().join("downloads").exists());
}

#[tokio::test]
async fn a_fetch_retries_with_and_without_ranges() {
    for ignores_ranges in [false, true] {
        let hub = small_hub();
        hub.state().breaks_off = Some((3, 2_000));
        hub.state().ignores_ranges = ignores_ranges;
        let cache = tempfile::tempdir().unwrap();
        let patient = HubSettings { retries: 3, ..settings(&hub) };
        fetched(&cache, &patient, BGE).await.unwrap();
        let model = ModelCache::new(cache.path()).model(BGE, Task::Embed).unwrap();
        assert_eq!(model.read("model.onnx").unwrap().0, hub.state().files["onnx/model.onnx"]);
    }
}

#[tokio::test]
async fn a_file_that_differs_from_the_listing_is_not_installed() {
    let cache = tempfile::tempdir().unwrap();
    let hub = small_hub();
    hub.state().lists_wrong_digests = true;
    let error = fetched(&cache, &settings(&hub), BGE).await.unwrap_err();
    assert!(matches!(error, HubError::Changed { by: "what the hub lists", .. }), "{error}");
    hub.state().lists_wrong_digests = false;
    hub.state().sends_too_much = true;
    let error = fetched(&cache, &settings(&hub), BGE).await.unwrap_err();
    assert!(matches!(error, HubError::TooLarge { .. }), "{error}");
    hub.state().sends_too_much = false;
    hub.state().files.remove("onnx/model.onnx");
    let error = fetched(&cache, &settings(&hub), BGE).await.unwrap_err();
    assert!(error.to_string().contains("onnx/model.onnx"), "{error}");
    hub.state().revision = "../../x".to_owned();
    let error = fetched(&cache, &settings(&hub), BGE).await.unwrap_err();
    assert!(error.to_string().contains("names no commit"), "{error}");
    assert_eq!(files_below(&cache.path().join("models")), [] as [PathBuf; 0]);
}

#[tokio::test]
async fn every_refusal_of_the_hub_names_a_remedy() {
    let cache = tempfile::tempdir().unwrap();
    let hub = small_hub();
    for (status, remedy, is_transient) in [
        (401, "HF_TOKEN", false),
        (403, "HF_TOKEN", false),
        (404, "HF_ENDPOINT", false),
        (429, "later", true),
        (500, "later", true),
        (503, "later", true),
    ] {
        hub.state().refuses = Some(status);
        let error = fetched(&cache, &settings(&hub), BGE).await.unwrap_err();
        assert!(matches!(error, HubError::Status { status: found, .. } if found == status), "{error}");
        assert!(error.to_string().contains(remedy) && error.to_string().contains(BGE), "{error}");
        assert_eq!(error.is_transient(), is_transient, "{error}");
    }
    let nobody = HubSettings { endpoint: "http://127.0.0.1:9".to_owned(), ..settings(&hub) };
    assert!(matches!(fetched(&cache, &nobody, BGE).await, Err(HubError::Unreachable { .. })));
    for endpoint in ["ftp://x", "", "http://", "http://exa mple"] {
        let nowhere = HubSettings { endpoint: endpoint.to_owned(), ..settings(&hub) };
        let error = fetched(&cache, &nowhere, BGE).await.unwrap_err();
        assert!(matches!(error, HubError::Setting { .. }), "{endpoint}: {error}");
    }
    let page = FakeHub::start("a/b", []);
    page.state().refuses = Some(200); // a captive portal
    let error = fetched(&cache, &settings(&page), BGE).await.unwrap_err();
    assert!(matches!(error, HubError::Answer { .. }), "{error}");
}

#[tokio::test]
async fn the_token_is_sent_to_the_hub_alone() {
    let cache = tempfile::tempdir().unwrap();
    let hub = small_hub();
    let own = HubSettings { token: Some("hf_mine".to_owned()), ..settings(&hub) };
    assert!(!format!("{own:?}").contains("hf_mine"));
    fetched(&cache, &own, BGE).await.unwrap();
    for (path, authorization) in &hub.state().seen {
        let expected = if path.starts_with("cdn ") { None } else { Some("Bearer hf_mine") };
        assert_eq!(authorization.as_deref(), expected, "{path}");
    }
    assert!(hub.state().seen.iter().any(|(path, _)| path.starts_with("cdn ")));
    let cache = tempfile::tempdir().unwrap();
    let broken = HubSettings { token: Some("a\nb".to_owned()), ..settings(&hub) };
    assert!(matches!(fetched(&cache, &broken, BGE).await, Err(HubError::Setting { .. })));
}

#[tokio::test]
async fn names_that_cannot_be_fetched_are_refused_without_a_request() {
    let cache = tempfile::tempdir().unwrap();
    let hub = small_hub();
    let error = fetched(&cache, &settings(&hub), "multilingual-e5-small").await.unwrap_err();
    assert!(error.to_string().contains("did you mean intfloat/multilingual-e5-small"), "{error}");
    for name in ["../x", "", "/etc/passwd", "a/b/c", "..", "gpt-4"] {
        let error = fetched(&cache, &settings(&hub), name).await.unwrap_err();
        assert!(matches!(error, HubError::Unknown { .. }), "{name}: {error}");
        let refused = ModelCache::new(cache.path()).model(name, Task::Embed).unwrap_err();
        assert!(matches!(refused, ModelError::UnknownModel { .. }), "{name}: {refused}");
    }
    let error = fetched(&cache, &settings(&hub), "bge-small-en-v1.5").await.unwrap_err();
    assert!(matches!(error, HubError::Pinned { .. }), "{error}");
    let error = fetched(&cache, &settings(&hub), "rozgo/bge-reranker-v2-m3").await.unwrap_err();
    assert!(error.to_string().contains("outside the graph"), "{error}");

    let own = cache.path().join(FOLDER);
    std::fs::create_dir_all(&own).unwrap();
    let json = r#"{"task":"embed","dimension":8,"pooling":"mean","max_tokens":64,"pad_token":"<pad>"}"#;
    std::fs::write(own.join("model.json"), json).unwrap();
    assert!(matches!(fetched(&cache, &settings(&hub), BGE).await, Err(HubError::Own { .. })));
    std::fs::write(own.join("model.json"), json.replacen('{', r#"{"name":"other/model","#, 1)).unwrap();
    let refused = ModelCache::new(cache.path()).model(BGE, Task::Embed).unwrap_err();
    assert!(refused.to_string().contains("describes the model `other/model`"), "{refused}");
    assert!(hub.state().seen.is_empty());
}
