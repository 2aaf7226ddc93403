//! ONNX sessions of catalogued models through `fastembed`, for one text or pair per run.
//!
//! A session has one thread and does not spin: parallelism is across sessions, and spinning would take cores from the
//! rest of the service. One text per run, because dynamically quantised graphs scale activations over the whole batch,
//! so that a vector would depend on the other texts (ADR 0006). Weights outside the graph are passed in memory like the
//! graph itself, so that the bytes that run are the bytes whose sha256 was verified.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use fastembed::{
    InitOptionsUserDefined, OutputKey, RerankInitOptionsUserDefined, TextEmbedding, TextRerank,
    TokenizerFiles, UserDefinedEmbeddingModel, UserDefinedRerankingModel,
};
use ort::environment::Environment;
use ort::ep::ExecutionProviderDispatch;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::catalogue::{CachedModel, ModelCache, Task};
use super::hex::hex;
use super::supported::EXTERNAL_RERANKER;
use super::{ModelError, Pooling, runtime};

/// Locations of models and runtime.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ModelLocation {
    /// Cache of models and runtime.
    pub cache: ModelCache,
    /// ONNX Runtime to use instead of the cached one.
    pub runtime_library: Option<PathBuf>,
}

/// Verified model from which any number of sessions can be made.
pub(crate) struct OnnxModel {
    cached: CachedModel,
    environment: Environment,
    tokenizer_json: Vec<u8>,
}

impl OnnxModel {
    pub(crate) fn open(location: &ModelLocation, name: &str, task: Task) -> Result<Self, ModelError> {
        let library = match &location.runtime_library {
            Some(library) => library.clone(),
            None => location.cache.runtime_library()?,
        };
        let cached = location.cache.model(name, task)?;
        let environment = runtime::environment(&library)?;
        let (tokenizer_json, _) = cached.read("tokenizer.json")?;
        // With one text at a time, the tokenisers' own thread pool has no benefit.
        tokenizers::utils::parallelism::set_parallelism(false);
        Ok(Self { cached, environment, tokenizer_json })
    }

    pub(crate) fn name(&self) -> &str {
        &self.cached.entry.name
    }

    pub(crate) fn cached(&self) -> &CachedModel {
        &self.cached
    }

    pub(crate) fn tokenizer_json(&self) -> &[u8] {
        &self.tokenizer_json
    }

    /// Embedding session, and the sha256 of its weights (of all digests, for several files).
    pub(crate) fn embedding_session(&self) -> Result<(TextEmbedding, String), ModelError> {
        let pooling = match self.cached.entry.pooling {
            Some(Pooling::Cls) => fastembed::Pooling::Cls,
            Some(Pooling::Mean) => fastembed::Pooling::Mean,
            other => {
                return Err(
                    self.unusable(format!("pooling {other:?} is not one that a local model can have"))
                );
            }
        };
        let (onnx, mut sha256) = self.cached.read("model.onnx")?;
        let mut model = UserDefinedEmbeddingModel::new(onnx, self.tokenizer_files()).with_pooling(pooling);
        model.output_key = self.output()?;
        for file in &self.cached.entry.external_data {
            let (weights, of_weights) = self.cached.read(file)?;
            model = model.with_external_initializer(file.clone(), weights);
            sha256 = hex(&Sha256::digest(format!("{sha256} {of_weights}")));
        }
        let options = InitOptionsUserDefined::new()
            .with_environment(self.environment.clone())
            .with_execution_providers(providers())
            .with_max_length(self.cached.entry.max_tokens)
            .with_intra_threads(1)
            .with_session_config("session.intra_op.allow_spinning", "0");
        Ok((self.guarded(|| TextEmbedding::try_new_from_user_defined(model, options))?, sha256))
    }

    /// Cross-encoder session, and the sha256 of its weights.
    pub(crate) fn reranking_session(&self) -> Result<(TextRerank, String), ModelError> {
        if !self.cached.entry.external_data.is_empty() {
            return Err(self.unusable(EXTERNAL_RERANKER.to_owned()));
        }
        let (onnx, sha256) = self.cached.read("model.onnx")?;
        let model = UserDefinedRerankingModel::new(onnx, self.tokenizer_files());
        let options = RerankInitOptionsUserDefined::new()
            .with_environment(self.environment.clone())
            .with_execution_providers(providers())
            .with_max_length(self.cached.entry.max_tokens)
            .with_intra_threads(1)
            .with_session_config("session.intra_op.allow_spinning", "0");
        Ok((self.guarded(|| TextRerank::try_new_from_user_defined(model, options))?, sha256))
    }

    /// Output of the graph that is the vector, if the entry names one. `fastembed` requires a `'static` name.
    fn output(&self) -> Result<Option<OutputKey>, ModelError> {
        match self.cached.entry.output.as_deref() {
            None => Ok(None),
            Some("sentence_embedding") => Ok(Some(OutputKey::ByName("sentence_embedding"))),
            Some(other) => Err(self.unusable(format!("output `{other}` is not one that can be named"))),
        }
    }

    /// Tokenizer files for `fastembed`, which reads from three of the four only what the entry has already.
    fn tokenizer_files(&self) -> TokenizerFiles {
        let entry = &self.cached.entry;
        let config =
            serde_json::json!({ "model_max_length": entry.max_tokens, "pad_token": entry.pad_token });
        TokenizerFiles {
            tokenizer_file: self.tokenizer_json.clone(),
            config_file: b"{}".to_vec(),
            special_tokens_map_file: b"{}".to_vec(),
            tokenizer_config_file: config.to_string().into_bytes(),
        }
    }

    fn guarded<T>(&self, make: impl FnOnce() -> fastembed::Result<T>) -> Result<T, ModelError> {
        match catch_unwind(AssertUnwindSafe(make)) {
            Ok(made) => made.map_err(|error| self.unusable(error.to_string())),
            Err(_) => Err(self.unusable("the runtime panicked while loading it".to_owned())),
        }
    }

    fn unusable(&self, reason: String) -> ModelError {
        ModelError::Unusable { model: self.name().to_owned(), reason }
    }
}

/// CPU provider without an arena, because the arena of a session never shrinks below its peak use.
fn providers() -> Vec<ExecutionProviderDispatch> {
    vec![ort::ep::CPU::default().with_arena_allocator(false).build()]
}
