//! Index rows of texts: chunked, tokenised and embedded, in as few calls to the embedder as it allows.

use std::ops::Range;
use std::sync::Arc;

use tracing::{Instrument, debug_span, instrument};

use super::chunks::chunk_spans;
use super::keys::Key;
use crate::domain::change::IndexRow;
use crate::domain::embedder::EmbedderId;
use crate::domain::memory::Memory;
use crate::domain::name::Name;
use crate::engine::{ActiveEmbedder, Engine};
use crate::error::Error;
use crate::model::Embedder;

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

    /// The present text of a memory.
    pub(crate) fn of_memory(memory: &Memory) -> Self {
        Self { text: memory.text.as_str().into(), author: memory.author().cloned(), vector: None }
    }
}

/// Rows for each text, and the embedder that made their vectors.
pub(crate) struct IndexedTexts {
    pub(crate) embedder: EmbedderId,
    pub(crate) rows: Vec<Vec<IndexRow>>,
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
}

/// Makes the rows of texts with an embedder. `made` has for each text, or for none, rows that this embedder made of the same
/// key: their vectors are taken over instead of being made once more.
pub(crate) async fn index_texts_with(
    embedder: &dyn Embedder,
    texts: &[TextToIndex],
    made: &[Vec<IndexRow>],
    field: &str,
) -> Result<Vec<Vec<IndexRow>>, Error> {
    let cut: Vec<Cut> = cut(embedder, texts);
    let mut rows: Vec<Vec<IndexRow>> = Vec::with_capacity(cut.len());
    let dimension = embedder.identity().dimension;
    let (mut places, mut chunks) = (Vec::new(), Vec::new());
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
            (None, rows) => {
                take_vectors(rows, made.get(index).map_or(&[], Vec::as_slice));
                for (chunk, span) in cut.spans.into_iter().enumerate() {
                    if rows.get(chunk).is_some_and(|row| row.vector.is_some()) {
                        continue;
                    }
                    chunks.push(cut.key.text.get(span).unwrap_or_default().to_owned());
                    places.push((index, chunk));
                }
            }
        }
        rows.push(cut.rows);
    }
    for (places, chunks) in places.chunks(CHUNKS_PER_CALL).zip(chunks.chunks(CHUNKS_PER_CALL)) {
        let embedding = embedder.embed_passages(chunks);
        let vectors = embedding.instrument(debug_span!("embed", chunks = chunks.len())).await?;
        for ((text, chunk), vector) in places.iter().zip(vectors) {
            if let Some(row) = rows.get_mut(*text).and_then(|rows| rows.get_mut(*chunk)) {
                row.vector = Some(unit(&vector, || format!("{field}[{text}].text"))?);
            }
        }
    }
    Ok(rows)
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

fn unit(vector: &[f32], field: impl Fn() -> String) -> Result<Arc<[half::f16]>, Error> {
    gpu_retrieval::unit_fp16(vector).map(Arc::from).map_err(|error| Error::invalid(field(), error))
}
