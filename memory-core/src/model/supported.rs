//! Models that `fastembed` knows by name, as plain values: the models that can be fetched from a hub.
//!
//! Users may name any of them, and a misspelt name is answered with similar ones. Invariant: every name is a valid
//! folder name (`name`), and names are unique: where a repository has one model in several precisions, those other than
//! `model.onnx` are variants, `owner/repository:quantized`.

use std::collections::HashMap;
use std::sync::LazyLock;

use fastembed::{OutputKey, TextEmbedding, TextRerank};

use super::Pooling;
use super::task::Task;

/// Maximum number of names suggested for a misspelt one.
const MAX_SUGGESTIONS: usize = 5;
/// Minimum Jaro-Winkler similarity of a suggestion, 0 to 1.
const MIN_SIMILARITY: f64 = 0.75;

/// Obstacle of a cross-encoder with weights outside its graph.
pub(super) const EXTERNAL_RERANKER: &str = "its weights lie outside the graph, and `fastembed` reads those of a cross-encoder from the disk only, unchecked";

static SUPPORTED: LazyLock<Vec<SupportedModel>> = LazyLock::new(list);

/// Model that can be fetched by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SupportedModel {
    /// Repository, with the variant after a colon if there are several.
    pub name: String,
    /// Task.
    pub task: Task,
    /// Repository on the hub.
    pub repository: String,
    /// Graph file in the repository.
    pub model_file: String,
    /// Files with weights outside the graph.
    pub external_files: Vec<String>,
    /// Number of vector components, for an embedder.
    pub dimension: Option<usize>,
    /// Pooling, for an embedder.
    pub pooling: Option<Pooling>,
    /// Output of the graph that is the vector, where the default order of preference does not find it.
    pub output: Option<String>,
    /// Description in one line.
    pub about: String,
}

impl SupportedModel {
    /// Reason why it cannot be used here although `fastembed` knows it; `None` for all but a few.
    pub fn obstacle(&self) -> Option<&'static str> {
        (self.task == Task::Rerank && !self.external_files.is_empty()).then_some(EXTERNAL_RERANKER)
    }
}

/// All models that can be fetched by name: embedders first, each task by name.
pub fn supported() -> &'static [SupportedModel] {
    &SUPPORTED
}

/// Model with this name.
pub fn find(name: &str) -> Option<&'static SupportedModel> {
    SUPPORTED.iter().find(|model| model.name == name)
}

/// Most similar names, best first.
pub fn like(name: &str) -> Vec<&'static str> {
    let requested = name.to_lowercase();
    let mut near: Vec<(f64, &str)> = SUPPORTED
        .iter()
        .map(|model| (similarity(&requested, &model.name.to_lowercase()), model.name.as_str()))
        .filter(|(similarity, _)| *similarity >= MIN_SIMILARITY)
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    near.into_iter().take(MAX_SUGGESTIONS).map(|(_, name)| name).collect()
}

/// Similarity of the whole name or of the repository without its owner, whichever is greater; 1 if one contains the
/// other.
fn similarity(requested: &str, name: &str) -> f64 {
    let repository = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
    let (short_requested, short) = (repository(requested), repository(name));
    if short_requested.len() > 2 && (short.contains(&short_requested) || short_requested.contains(&short)) {
        return 1.0;
    }
    strsim::jaro_winkler(requested, name).max(strsim::jaro_winkler(&short_requested, &short))
}

fn list() -> Vec<SupportedModel> {
    let mut models: Vec<SupportedModel> =
        TextEmbedding::list_supported_models().into_iter().map(embedder).collect();
    models.extend(TextRerank::list_supported_models().into_iter().map(|info| SupportedModel {
        name: String::new(),
        task: Task::Rerank,
        repository: info.model_code,
        model_file: info.model_file,
        external_files: info.additional_files,
        dimension: None,
        pooling: None,
        output: None,
        about: info.description,
    }));
    let mut graphs: HashMap<String, usize> = HashMap::new();
    for model in &models {
        *graphs.entry(model.repository.clone()).or_default() += 1;
    }
    for model in &mut models {
        let is_one_of_several = graphs.get(&model.repository).is_some_and(|count| *count > 1);
        model.name = match variant(&model.model_file) {
            Some(variant) if is_one_of_several => format!("{}:{variant}", model.repository),
            _ => model.repository.clone(),
        };
    }
    models.sort_by_key(|model| (model.task == Task::Rerank, model.name.to_lowercase()));
    models
}

fn embedder(info: fastembed::ModelInfo<fastembed::EmbeddingModel>) -> SupportedModel {
    let pooling = match TextEmbedding::get_default_pooling_method(&info.model).unwrap_or_default() {
        fastembed::Pooling::Cls => Pooling::Cls,
        fastembed::Pooling::Mean => Pooling::Mean,
    };
    SupportedModel {
        name: String::new(),
        task: Task::Embed,
        repository: info.model_code,
        model_file: info.model_file,
        external_files: info.additional_files,
        dimension: Some(info.dim),
        pooling: Some(pooling),
        output: match info.output_key {
            Some(OutputKey::ByName(output)) => Some(output.to_owned()),
            _ => None,
        },
        about: info.description,
    }
}

/// Variant in a file name: `quantized` of `onnx/model_quantized.onnx`; `None` for `model.onnx`.
fn variant(file: &str) -> Option<&str> {
    let file = file.rsplit('/').next()?;
    file.strip_suffix(".onnx")?.strip_prefix("model_")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::model::catalogue::catalogue;
    use crate::model::name::folder;

    #[test]
    fn every_model_of_fastembed_has_a_name_and_a_folder_of_its_own() {
        let expected =
            TextEmbedding::list_supported_models().len() + TextRerank::list_supported_models().len();
        let names: HashSet<&str> = supported().iter().map(|model| model.name.as_str()).collect();
        assert_eq!(names.len(), expected);
        let mut folders: HashSet<String> =
            supported().iter().filter_map(|model| folder(&model.name)).collect();
        assert_eq!(folders.len(), expected);
        folders.extend(catalogue().unwrap().models.iter().map(|entry| entry.name.clone()));
        assert_eq!(folders.len(), expected + catalogue().unwrap().models.len());
    }

    #[test]
    fn the_metadata_of_fastembed_is_copied() {
        let e5 = find("intfloat/multilingual-e5-small").unwrap();
        assert_eq!((e5.dimension, e5.pooling), (Some(384), Some(Pooling::Mean)));
        assert_eq!(e5.model_file, "onnx/model.onnx");
        let quantised = find("nomic-ai/nomic-embed-text-v1.5:quantized").unwrap();
        assert_eq!(quantised.model_file, "onnx/model_quantized.onnx");
        assert_eq!(find("Xenova/all-MiniLM-L6-v2").unwrap().model_file, "onnx/model_quantized.onnx");
        assert_eq!(find("BAAI/bge-reranker-base").unwrap().task, Task::Rerank);
        let refused: Vec<&str> =
            supported().iter().filter(|model| model.obstacle().is_some()).map(|model| &*model.name).collect();
        assert_eq!(refused, ["rozgo/bge-reranker-v2-m3"]);
        for info in TextEmbedding::list_supported_models() {
            assert!(matches!(info.output_key, None | Some(OutputKey::ByName("sentence_embedding"))));
        }
    }

    #[test]
    fn a_misspelt_name_gets_similar_suggestions() {
        assert_eq!(like("multilingual-e5-small").first(), Some(&"intfloat/multilingual-e5-small"));
        assert_eq!(like("intfloat/multilingual-e5-smal").first(), Some(&"intfloat/multilingual-e5-small"));
        assert_eq!(
            like("snowflake/Snowflake-Arctic-Embed-M").first(),
            Some(&"Snowflake/snowflake-arctic-embed-m")
        );
        assert!(like("bge-m3").contains(&"BAAI/bge-m3"));
        assert!(like("../x").is_empty() && like("").is_empty() && like("gpt-4").len() <= MAX_SUGGESTIONS);
    }
}
