//! Index rows of texts: chunked, tokenised and embedded, in as few calls to the embedder as it allows.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use tracing::{Instrument, debug_span, instrument};

use super::chunks::chunk_spans;
use super::keys::Key;
use crate::domain::change::IndexRow;
use crate::domain::embedder::EmbedderId;
use crate::domain::memory::Memory;
use crate::domain::name::Name;
use crate::engine::{ActiveEmbedder, Engine};
use crate::error::Error;
use crate::model::{Embedder, ModelError};

/// Chunks in one call: enough to keep every worker of a local embedder busy, few enough for a remote one.
const CHUNKS_PER_CALL: usize = 64;
/// From this many bytes on, cutting and counting words leaves the threads that answer requests.
const INLINE_BYTES: usize = 32 * 1024;

/// A text that is to get rows, with its vector if the caller has it.
#[derive(Clone, Debug)]
pub(crate) struct TextToIndex {
    pub(crate) text: Arc<str>,
    /// Author of the text, if it has one.
    pub(crate) author: Option<Name>,
    pub(crate) vector: Option<Vec<f32>>,
}

impl TextToIndex {
    /// Text without an author, to be embedded.
    pub(crate) fn plain(text: &str) -> Self {
        Self { text: text.into(), author: None, vector: None }
    }

    /// The text that a memory in this version is found by. All rows of memories that are stored already are made of it.
    pub(crate) fn of_memory(memory: &Memory) -> Self {
        Self { text: memory.key_text().into(), author: memory.author().cloned(), vector: None }
    }
}

/// Rows for each text, and the embedder that made their vectors.
pub(crate) struct IndexedTexts {
    pub(crate) embedder: EmbedderId,
    pub(crate) rows: Vec<Vec<IndexRow>>,
}

impl IndexedTexts {
    /// Number of texts with a row whose vector is yet to be made.
    pub(crate) fn without_vectors(&self) -> usize {
        self.rows.iter().filter(|rows| rows.iter().any(lacks_vector)).count()
    }
}

impl Engine {
    /// Makes the rows of texts, vectors included. `field` names the list in the request.
    #[instrument(level = "debug", skip_all)]
    pub(crate) async fn index_texts(
        &self,
        texts: &[TextToIndex],
        field: &str,
    ) -> Result<IndexedTexts, Error> {
        let ActiveEmbedder { id, embedder } = self.active_embedder();
        let rows = index_texts_with(&*embedder, texts, &[], field).await?;
        Ok(IndexedTexts { embedder: id, rows })
    }

    /// Makes the rows of texts, and their vectors as far as this can be done within the request: not if the texts are
    /// large ([`Limits::chunks_embedded_at_once`](crate::limits::Limits)), if the embedder fails, or if it takes too long.
    /// Vectors made by then are kept. The set that writes the rows asks for the job that makes the others
    /// ([`Engine::embed_later`]).
    #[instrument(level = "debug", skip_all)]
    pub(crate) async fn index_texts_for_now(
        &self,
        texts: &[TextToIndex],
        field: &str,
    ) -> Result<IndexedTexts, Error> {
        let ActiveEmbedder { id, embedder } = self.active_embedder();
        let mut prepared = Prepared::new(&*embedder, texts, &[], field)?;
        let (chunks, bytes) = prepared.size();
        let is_small =
            chunks <= self.limits.chunks_embedded_at_once && bytes <= self.limits.bytes_embedded_at_once;
        if chunks > 0 && is_small && !self.embedder_health.is_paused(self.now()) {
            let wait = Duration::from_millis(self.limits.embedding_wait_ms);
            let embedded = timeout(wait, prepared.embed(&*embedder, field)).await;
            match embedded.unwrap_or(Err(Error::Model(ModelError::TimedOut { after: wait }))) {
                Ok(()) => self.embedder_health.works(),
                Err(Error::Model(error)) if can_wait(&error) => {
                    tracing::warn!(code = error.code(), chunks, "texts are embedded later");
                    if !error.may_be_of_one_text() {
                        self.embedder_health.failed(error.code(), self.now());
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(IndexedTexts { embedder: id, rows: prepared.rows })
    }
}

/// True if the vector of a row is yet to be made.
pub(super) fn lacks_vector(row: &IndexRow) -> bool {
    row.vector.is_none() && row.span.0 < row.span.1
}

/// True if a failure is not the fault of the request, and not a sign of too many requests.
fn can_wait(error: &ModelError) -> bool {
    !matches!(error, ModelError::OverLimit { .. } | ModelError::Busy { .. } | ModelError::Stopped)
}

/// Makes the rows of texts with an embedder. `made` has for each text, or for none, rows that this embedder made of the same
/// key: their vectors are taken over instead of being made once more.
pub(crate) async fn index_texts_with(
    embedder: &dyn Embedder,
    texts: &[TextToIndex],
    made: &[Vec<IndexRow>],
    field: &str,
) -> Result<Vec<Vec<IndexRow>>, Error> {
    let mut prepared = Prepared::new(embedder, texts, made, field)?;
    prepared.embed(embedder, field).await?;
    Ok(prepared.rows)
}

/// Rows with their words, and the chunks whose vectors are to be made.
struct Prepared {
    rows: Vec<Vec<IndexRow>>,
    /// Text and row of each chunk.
    places: Vec<(usize, usize)>,
    chunks: Vec<String>,
}

impl Prepared {
    fn new(
        embedder: &dyn Embedder,
        texts: &[TextToIndex],
        made: &[Vec<IndexRow>],
        field: &str,
    ) -> Result<Self, Error> {
        let cut: Vec<Cut> = cut(embedder, texts);
        let mut prepared =
            Self { rows: Vec::with_capacity(cut.len()), places: Vec::new(), chunks: Vec::new() };
        let dimension = embedder.identity().dimension;
        for (index, (text, mut cut)) in texts.iter().zip(cut).enumerate() {
            match (&text.vector, cut.rows.as_mut_slice()) {
                (Some(vector), [row]) => {
                    if vector.len() != dimension {
                        let detail = format!("must have {dimension} components, not {}", vector.len());
                        return Err(Error::invalid(format!("{field}[{index}].vector"), detail));
                    }
                    row.vector = Some(unit(vector, || format!("{field}[{index}].vector"))?);
                }
                (Some(_), _) => {
                    let detail = "cannot be given for a text that the embedder reads in several parts";
                    return Err(Error::invalid(format!("{field}[{index}].vector"), detail));
                }
                // Nothing is found by an empty text: it stands for one that is not written.
                (None, _) if cut.key.text.is_empty() => {}
                (None, rows) => {
                    take_vectors(rows, made.get(index).map_or(&[], Vec::as_slice));
                    for (chunk, span) in cut.spans.into_iter().enumerate() {
                        if rows.get(chunk).is_some_and(|row| row.vector.is_some()) {
                            continue;
                        }
                        prepared.chunks.push(cut.key.text.get(span).unwrap_or_default().to_owned());
                        prepared.places.push((index, chunk));
                    }
                }
            }
            prepared.rows.push(cut.rows);
        }
        Ok(prepared)
    }

    /// Number of chunks to embed, and of their bytes.
    fn size(&self) -> (usize, usize) {
        (self.chunks.len(), self.chunks.iter().map(String::len).sum())
    }

    /// Makes the vectors. Those of the calls before a failure stay.
    async fn embed(&mut self, embedder: &dyn Embedder, field: &str) -> Result<(), Error> {
        let calls = self.places.chunks(CHUNKS_PER_CALL).zip(self.chunks.chunks(CHUNKS_PER_CALL));
        for (places, chunks) in calls {
            let embedding = embedder.embed_passages(chunks);
            let vectors = embedding.instrument(debug_span!("embed", chunks = chunks.len())).await?;
            for ((text, chunk), vector) in places.iter().zip(vectors) {
                if let Some(row) = self.rows.get_mut(*text).and_then(|rows| rows.get_mut(*chunk)) {
                    row.vector = Some(unit(&vector, || format!("{field}[{text}].text"))?);
                }
            }
        }
        Ok(())
    }
}

/// Takes over the vectors of the chunks that are the same.
fn take_vectors(rows: &mut [IndexRow], made: &[IndexRow]) {
    for row in rows {
        let place = |row: &IndexRow| (row.key, row.chunk, row.span);
        row.vector = made.iter().find(|made| place(made) == place(row)).and_then(|made| made.vector.clone());
    }
}

/// A key, where it is cut, and the rows of its parts.
pub(super) struct Cut {
    pub(super) key: Key,
    pub(super) spans: Vec<Range<usize>>,
    rows: Vec<IndexRow>,
}

fn cut(embedder: &dyn Embedder, texts: &[TextToIndex]) -> Vec<Cut> {
    let work = || texts.iter().map(|text| cut_one(embedder, text)).collect();
    let bytes: usize = texts.iter().map(|text| text.text.len()).sum();
    let can_block = tokio::runtime::Handle::try_current()
        .is_ok_and(|runtime| runtime.runtime_flavor() == tokio::runtime::RuntimeFlavor::MultiThread);
    if bytes > INLINE_BYTES && can_block { tokio::task::block_in_place(work) } else { work() }
}

pub(super) fn cut_one(embedder: &dyn Embedder, text: &TextToIndex) -> Cut {
    let key = Key::new(&text.text, text.author.as_ref());
    let mut spans = chunk_spans(embedder, &key.text);
    // A vector that came along is of the text: the name before it cannot make it too long.
    if spans.len() > 1 && text.vector.is_some() && chunk_spans(embedder, &text.text).len() == 1 {
        spans = std::iter::once(0..key.text.len()).collect();
    }
    let rows = key.rows(&spans);
    Cut { key, spans, rows }
}

pub(super) fn unit(vector: &[f32], field: impl Fn() -> String) -> Result<Arc<[half::f16]>, Error> {
    gpu_retrieval::unit_fp16(vector).map(Arc::from).map_err(|error| Error::invalid(field(), error))
}
