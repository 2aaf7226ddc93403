//! The models that `fastembed` knows by name, as plain values: what can be fetched from a model hub.
//!
//! It exists so that a user may name any of them and a mistake is answered with the names that are near. Invariant:
//! every name is a folder name (`name`), and no two are the same: where a repository holds one model in several
//! precisions, those other than `model.onnx` are variants, `owner/repository:quantized`.

use std::collections::HashMap;
use std::sync::LazyLock;

use fastembed::{OutputKey, TextEmbedding, TextRerank};

use super::Pooling;
use super::task::Task;

/// How many names a mistake is answered with.
const MAX_SUGGESTIONS: usize = 5;
/// From this likeness (Jaro-Winkler, 0 to 1) on a name is worth being suggested.
const ALIKE: f64 = 0.75;

/// Why a cross-encoder with weights outside its graph cannot run.
pub(super) const EXTERNAL_RERANKER: &str = "its weights lie outside the graph, and `fastembed` reads those of a cross-encoder from the disk only, unchecked";

static SUPPORTED: LazyLock<Vec<SupportedModel>> = LazyLock::new(list);

/// A model that can be fetched by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SupportedModel {
    /// The repository, with the variant after a colon where there is more than one.
    pub name: String,
    /// What it does.
    pub task: Task,
    /// Where it lies on the hub.
    pub repository: String,
    /// The graph in the repository.
    pub model_file: String,
    /// Weights beside the graph, in the repository.
    pub external_files: Vec<String>,
    /// Components of a vector; an embedder has it.
    pub dimension: Option<usize>,
    /// How one vector is made from those of the tokens; an embedder has it.
    pub pooling: Option<Pooling>,
    /// Which of the graph's outputs is the vector, where the usual order of preference does not find it.
    pub output: Option<String>,
    /// A line about it.
    pub about: String,
}

impl SupportedModel {
    /// Why it cannot be used here although `fastembed` knows it; `None` for all but a few.
    pub fn obstacle(&self) -> Option<&'static str> {
        (self.task == Task::Rerank && !self.external_files.is_empty()).then_some(EXTERNAL_RERANKER)
    }
}

/// Every model that can be fetched by name: embedders first, each sort by name.
pub fn supported() -> &'static [SupportedModel] {
    &SUPPORTED
}

/// The model of this name.
pub fn find(name: &str) -> Option<&'static SupportedModel> {
    SUPPORTED.iter().find(|model| model.name == name)
}

/// The names that are most like this one, the likest first.
pub fn like(name: &str) -> Vec<&'static str> {
    let asked = name.to_lowercase();
    let mut near: Vec<(f64, &str)> = SUPPORTED
        .iter()
        .map(|model| (likeness(&asked, &model.name.to_lowercase()), model.name.as_str()))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    near.into_iter().take(MAX_SUGGESTIONS).map(|(_, name)| name).collect()
}

/// Of the whole name or of the repository without its owner, whichever is greater; 1 where one holds the other.
fn likeness(asked: &str, name: &str) -> f64 {
    let repository = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
    let (short_asked, short) = (repository(asked), repository(name));
    if short_asked.len() > 2 && (short.contains(&short_asked) || short_asked.contains(&short)) {
        return 1.0;
    }
    strsim::jaro_winkler(asked, name).max(strsim::jaro_winkler(&short_asked, &short))
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

/// `quantized` of `onnx/model_quantized.onnx`; none of `model.onnx`.
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
    fn what_fastembed_says_is_taken_over() {
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
    fn a_mistake_is_answered_with_what_is_near() {
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
