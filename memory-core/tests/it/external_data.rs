//! Models with weights outside the graph: the default model, split, gives the same vectors as the original.
//!
//! Package indexes have no such model, so the test moves the tensors out of the graph itself. The tests need the files
//! that `scripts/fetch_models.py` puts into the cache.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::time::Duration;

use crate::fake_hub::{self, FakeHub, sha256};
use memory_core::model::catalogue::{ModelCache, Task};
use memory_core::model::hub::{HubSettings, fetch};
use memory_core::model::local::{LocalEmbedder, LocalEmbedderSettings};
use memory_core::model::session::ModelLocation;
use memory_core::model::{Embedder, ModelError};

/// Minimum size of the tensors that are moved out, in bytes.
const LARGE_BYTES: usize = 1024;
const WEIGHTS: &str = "model.onnx_data";

#[tokio::test]
async fn external_weights_give_the_same_vectors_and_are_verified() {
    let theirs = fake_hub::cache();
    let cache = tempfile::tempdir().unwrap();
    let folder = cache.path().join("models/apart");
    std::fs::create_dir_all(&folder).unwrap();
    let whole = theirs.join("models/bge-small-en-v1.5");
    std::fs::copy(whole.join("tokenizer.json"), folder.join("tokenizer.json")).unwrap();
    let (graph, weights) = taken_apart(&std::fs::read(whole.join("model.onnx")).unwrap());
    assert!(weights.len() > 10 * graph.len());
    std::fs::write(folder.join("model.onnx"), &graph).unwrap();
    std::fs::write(folder.join(WEIGHTS), &weights).unwrap();
    let description = serde_json::json!({
        "task": "embed", "dimension": 384, "pooling": "cls", "max_tokens": 512, "pad_token": "[PAD]",
        "external_data": [WEIGHTS], "files": [{"path": WEIGHTS, "sha256": sha256(&weights)}],
    });
    std::fs::write(folder.join("model.json"), description.to_string()).unwrap();

    let runtime = ModelCache::new(&theirs).runtime_library().unwrap();
    let own = ModelLocation { cache: ModelCache::new(cache.path()), runtime_library: Some(runtime) };
    let settings = || LocalEmbedderSettings { model: "apart".into(), ..Default::default() };
    let apart = LocalEmbedder::open(&own, settings()).unwrap();
    let location = ModelLocation { cache: ModelCache::new(&theirs), runtime_library: None };
    let whole = LocalEmbedder::open(&location, LocalEmbedderSettings::default()).unwrap();
    let texts = ["Anna moved to Lisbon last spring.".to_owned()];
    assert_eq!(apart.embed_passages(&texts).await.unwrap(), whole.embed_passages(&texts).await.unwrap());

    let mut changed = weights;
    changed[100] ^= 1;
    std::fs::write(folder.join(WEIGHTS), changed).unwrap();
    assert!(matches!(LocalEmbedder::open(&own, settings()), Err(ModelError::ChecksumMismatch { .. })));
    let outside = description.to_string().replace(WEIGHTS, "../model.onnx");
    std::fs::write(folder.join("model.json"), outside).unwrap();
    let refused = LocalEmbedder::open(&own, settings()).unwrap_err();
    assert!(refused.to_string().contains("is no name of a file"), "{refused}");
}

#[tokio::test]
async fn external_weights_are_fetched_under_the_names_in_the_graph() {
    let files = [
        ("onnx/model.onnx", vec![1; 3_000]),
        ("onnx/model.onnx_data", vec![2; 9_000]),
        ("onnx/Constant_7_attr__value", vec![3; 40]),
        ("tokenizer.json", vec![b'{'; 10]),
    ];
    let hub = FakeHub::start("BAAI/bge-m3", files);
    let directory = tempfile::tempdir().unwrap();
    let cache = ModelCache::new(directory.path());
    let settings =
        HubSettings { endpoint: hub.url.clone(), token: None, retries: 0, backoff: Duration::ZERO };
    fetch(&cache, &settings, "BAAI/bge-m3", &mut |_| {}).await.unwrap();
    let model = cache.model("BAAI/bge-m3", Task::Embed).unwrap();
    assert_eq!(model.entry.external_data, ["model.onnx_data", "Constant_7_attr__value"]);
    assert_eq!(model.entry.files.len(), 4);
    assert_eq!(model.read("Constant_7_attr__value").unwrap().0, [3; 40]);
    assert!(model.is_here());
}

/// The graph without its large tensors, and their concatenated bytes.
fn taken_apart(model: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mut weights = Vec::new();
    // ModelProto.graph is 7, GraphProto.initializer 5.
    let graph =
        rewritten(model, 7, &mut |graph| rewritten(graph, 5, &mut |tensor| external(tensor, &mut weights)));
    (graph, weights)
}

/// TensorProto: raw_data is 9, external_data 13, data_location 14 with 1 for external.
fn external(tensor: &[u8], weights: &mut Vec<u8>) -> Vec<u8> {
    let mut without = Vec::new();
    let mut raw = None;
    for (number, field, value) in fields(tensor) {
        if number == 9 && value.len() >= LARGE_BYTES { raw = Some(value) } else { without.extend(field) }
    }
    let Some(raw) = raw else { return tensor.to_vec() };
    let (offset, length) = (weights.len().to_string(), raw.len().to_string());
    for (key, value) in [("location", WEIGHTS), ("offset", &offset), ("length", &length)] {
        let entry = [bytes_field(1, key.as_bytes()), bytes_field(2, value.as_bytes())].concat();
        without.extend(bytes_field(13, &entry));
    }
    without.extend([14 << 3, 1]);
    weights.extend(raw);
    without
}

/// The message with `change` applied to each field of this number.
fn rewritten(message: &[u8], number: u64, change: &mut dyn FnMut(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let one = |(found, field, value): (u64, &[u8], &[u8])| {
        if found == number { bytes_field(number, &change(value)) } else { field.to_vec() }
    };
    fields(message).into_iter().flat_map(one).collect()
}

/// Number, whole field and value of each field of a protobuf message.
fn fields(message: &[u8]) -> Vec<(u64, &[u8], &[u8])> {
    let mut found = Vec::new();
    let mut rest = message;
    while !rest.is_empty() {
        let (tag, mut at) = varint(rest);
        let length = match tag & 7 {
            0 => varint(&rest[at..]).1,
            1 => 8,
            5 => 4,
            _ => {
                let (length, bytes) = varint(&rest[at..]);
                at += bytes;
                usize::try_from(length).unwrap()
            }
        };
        found.push((tag >> 3, &rest[..at + length], &rest[at..at + length]));
        rest = &rest[at + length..];
    }
    found
}

fn varint(bytes: &[u8]) -> (u64, usize) {
    let length = 1 + bytes.iter().position(|byte| byte & 0x80 == 0).unwrap();
    let value = bytes[..length].iter().rev().fold(0, |value, byte| value << 7 | u64::from(byte & 0x7f));
    (value, length)
}

fn bytes_field(number: u64, value: &[u8]) -> Vec<u8> {
    let mut field = Vec::new();
    for mut number in [number << 3 | 2, value.len() as u64] {
        while number >= 0x80 {
            field.push(number as u8 | 0x80);
            number >>= 7;
        }
        field.push(number as u8);
    }
    [field, value.to_vec()].concat()
}
