//! Local embedder and reranker on the real models: the contract of the ports, known values, and error messages.
//!
//! The tests need the files that `scripts/fetch_models.py` puts into the cache, and fail with a message without them.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use memory_core::model::catalogue::ModelCache;
use memory_core::model::cross_encoder::{LocalReranker, LocalRerankerSettings};
use memory_core::model::local::{LocalEmbedder, LocalEmbedderSettings};
use memory_core::model::session::ModelLocation;
use memory_core::model::{Embedder, ModelError, Reranker, contract};

fn location() -> ModelLocation {
    let Some(cache) = ModelCache::from_environment(|name| std::env::var_os(name)) else {
        panic!("these tests need ENGRAIN_CACHE, XDG_CACHE_HOME or HOME to find the models");
    };
    ModelLocation { cache, runtime_library: None }
}

fn embedder(settings: LocalEmbedderSettings) -> LocalEmbedder {
    LocalEmbedder::open(&location(), settings).unwrap_or_else(|error| {
        panic!("these tests need the models: python3 scripts/fetch_models.py. {error}")
    })
}

fn reranker() -> LocalReranker {
    LocalReranker::open(&location(), LocalRerankerSettings::default()).unwrap_or_else(|error| {
        panic!("these tests need the models: python3 scripts/fetch_models.py. {error}")
    })
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

#[tokio::test]
async fn the_default_embedder_keeps_the_contract() {
    contract::holds(&|| {
        Ok(Box::new(LocalEmbedder::open(&location(), LocalEmbedderSettings::default())?) as Box<dyn Embedder>)
    })
    .await;
}

#[tokio::test]
async fn a_long_text_is_split_losslessly() {
    // The tokenizer reads a megabyte per second, and a fifth of that unoptimised.
    let bytes = if cfg!(debug_assertions) { 1_000_000 } else { 10_000_000 };
    contract::splits_losslessly(&embedder(LocalEmbedderSettings::default()), bytes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_overtakes_a_long_ingest() {
    let texts =
        vec!["She moved from Hamburg to Lisbon in May, and keeps the bicycle there. ".repeat(20); 400];
    let took =
        contract::query_overtakes_ingest(Arc::new(embedder(LocalEmbedderSettings::default())), texts).await;
    assert!(took < Duration::from_secs(2), "the query waited {took:?}");
}

#[tokio::test]
async fn similar_meanings_have_similar_vectors_and_the_query_prefix_is_applied() {
    let embedder = embedder(LocalEmbedderSettings::default());
    let passages =
        ["Anna moved to Lisbon last spring.", "The recipe needs two eggs and some flour."].map(String::from);
    let vectors = embedder.embed_passages(&passages).await.unwrap();
    let query = embedder.embed_query("Where does Anna live?").await.unwrap();
    assert!(dot(&query, &vectors[0]) > dot(&query, &vectors[1]) + 0.15);
    let without_prefix = embedder.embed_passages(&["Where does Anna live?".to_owned()]).await.unwrap();
    assert!(dot(&query, &without_prefix[0]) < 0.999, "the query prefix changes nothing");
}

#[tokio::test]
async fn a_query_longer_than_the_model_reads_is_the_mean_of_its_parts() {
    let embedder = embedder(LocalEmbedderSettings::default());
    let long = "Anna moved from Hamburg to Lisbon in May. ".repeat(100);
    let vector = embedder.embed_query(&long).await.unwrap();
    let short = embedder.embed_query("Anna moved from Hamburg to Lisbon in May.").await.unwrap();
    assert!(dot(&vector, &short) > 0.8 && (dot(&vector, &vector) - 1.0).abs() < 1e-5);
    let endless = embedder.embed_query(&long.repeat(100)).await;
    assert!(matches!(endless, Err(ModelError::OverLimit { what: "parts of a query", .. })), "{endless:?}");
}

#[tokio::test]
async fn too_many_texts_and_too_many_calls_are_refused() {
    let settings = LocalEmbedderSettings { texts_per_call: 2, concurrent_calls: 1, ..Default::default() };
    let embedder = embedder(settings);
    let texts = vec!["text".to_owned(); 3];
    assert!(matches!(
        embedder.embed_passages(&texts).await,
        Err(ModelError::OverLimit { what: "texts in a call", limit: 2, found: 3 })
    ));
    let (first, second) =
        tokio::join!(embedder.embed_passages(&texts[..1]), embedder.embed_passages(&texts[..1]));
    assert!(first.is_ok() && matches!(second, Err(ModelError::Busy { limit: 1, .. })), "{second:?}");
}

#[tokio::test]
async fn a_model_added_by_the_user_is_used_from_its_folder() {
    let cache = tempfile::tempdir().unwrap();
    let theirs = std::env::var_os("ENGRAIN_CACHE")
        .map_or_else(|| Path::new(&std::env::var_os("HOME").unwrap()).join(".cache/engrain"), Into::into);
    let folder = cache.path().join("models/mine");
    std::fs::create_dir_all(&folder).unwrap();
    for file in ["model.onnx", "tokenizer.json"] {
        std::fs::copy(theirs.join("models/bge-small-en-v1.5").join(file), folder.join(file)).unwrap();
    }
    let json = r#"{"task":"embed","dimension":384,"pooling":"mean","max_tokens":128,"query_prefix":"query: ","passage_prefix":"passage: ","pad_token":"[PAD]"}"#;
    std::fs::write(folder.join("model.json"), json).unwrap();
    let own = ModelLocation {
        cache: ModelCache::new(cache.path()),
        runtime_library: Some(location().cache.runtime_library().unwrap()),
    };
    let open =
        || LocalEmbedder::open(&own, LocalEmbedderSettings { model: "mine".into(), ..Default::default() });
    contract::holds(&|| Ok(Box::new(open()?) as Box<dyn Embedder>)).await;

    std::fs::write(folder.join("model.json"), json.replace("384", "383")).unwrap();
    let wrong = open().unwrap().embed_query("text").await;
    assert!(matches!(wrong, Err(ModelError::InvalidOutput { .. })), "{wrong:?}");
    std::fs::write(folder.join("model.onnx"), b"not a model").unwrap();
    assert!(matches!(open(), Err(ModelError::Unusable { .. })));
    std::fs::remove_file(folder.join("model.onnx")).unwrap();
    assert!(matches!(open(), Err(ModelError::FileMissing { .. })));
}

/// Example pair of the model card: 8.6 to 9.3 for the answer and below -3 for the other, depending on the weights.
#[tokio::test]
async fn reranker_scores_agree_with_the_model_card_and_are_independent() {
    let reranker = reranker();
    let query = "How many people live in Berlin?";
    let passages = [
        "New York City is famous for the Metropolitan Museum of Art.",
        "Berlin has a population of 3,520,031 registered inhabitants in an area of 891.82 square kilometers.",
    ]
    .map(String::from);
    let scores = reranker.score(query, &passages, None).await.unwrap();
    assert!(scores[1] > 8.0 && scores[0] < -3.0, "{scores:?}");
    for (passage, score) in passages.iter().zip(&scores) {
        assert_eq!(reranker.score(query, std::slice::from_ref(passage), None).await.unwrap(), [*score]);
    }
    assert!(reranker.score(query, &[], None).await.unwrap().is_empty());
    let huge = ["word ".repeat(1_000_000)];
    assert_eq!(reranker.score(query, &huge, None).await.unwrap().len(), 1);
    let many = vec![String::new(); reranker.max_passages() + 1];
    assert!(matches!(reranker.score(query, &many, None).await, Err(ModelError::OverLimit { .. })));
}

#[tokio::test]
async fn at_the_deadline_the_scores_computed_so_far_are_returned() {
    let reranker = reranker();
    let passages = vec!["Anna moved from Hamburg to Lisbon in May, with her bicycle. ".repeat(20); 100];
    assert!(reranker.score("Anna", &passages, Some(Instant::now())).await.unwrap().is_empty());
    // The duration of a passage depends on the machine: some deadline is after the first passage and before the last.
    for deadline_ms in (0..10).map(|doubling| 50 << doubling) {
        let deadline = Instant::now() + Duration::from_millis(deadline_ms);
        let scores = reranker.score("Anna", &passages, Some(deadline)).await.unwrap();
        if !scores.is_empty() {
            assert!(scores.len() < passages.len(), "all {} scores by {deadline_ms} ms", scores.len());
            return;
        }
    }
    panic!("no deadline let a single score through");
}
