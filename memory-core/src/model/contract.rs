//! Contract tests of [`Embedder`], as functions that the tests of each implementation call.
//!
//! One contract makes the hashing embedder of the tests and the real models interchangeable. The functions panic with a
//! message when the contract is violated.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Embedder, ModelError};

/// Constructor of an embedder of the kind under test.
pub type Open<'a> = &'a dyn Fn() -> Result<Box<dyn Embedder>, ModelError>;

/// Runs the contract, except for the parts that need a long text: [`splits_losslessly`] and [`query_overtakes_ingest`].
pub async fn holds(open: Open<'_>) {
    let embedder = opened(open);
    identity_is_told(&*embedder);
    order_is_kept_and_length_is_one(&*embedder).await;
    company_does_not_matter(&*embedder).await;
    too_long_a_text_is_refused(&*embedder).await;
    survives_a_restart(&*embedder, &*opened(open)).await;
    assert_eq!(passages(&*embedder, &[]).await, Vec::<Vec<f32>>::new(), "no texts, no vectors");
}

/// The spans of a text of `bytes` cover it, and the first, the middle and the last can be embedded.
pub async fn splits_losslessly(embedder: &dyn Embedder, bytes: usize) {
    let text = long_text(bytes);
    let spans = embedder.split(&text);
    let mut end = 0;
    for span in &spans {
        assert_eq!(span.start, end, "a gap or an overlap before byte {}", span.start);
        assert!(text.is_char_boundary(span.end), "a character is cut at byte {}", span.end);
        end = span.end;
    }
    assert_eq!(end, text.len(), "the end of the text is lost");
    let picked = [0, spans.len() / 2, spans.len() - 1].map(|i| text[spans[i].clone()].to_owned());
    assert_eq!(passages(embedder, &picked).await.len(), picked.len());
}

/// A query is answered during an ingest of `texts`, which must be long enough to be still running then.
///
/// Returns the duration of the query.
pub async fn query_overtakes_ingest(embedder: Arc<dyn Embedder>, texts: Vec<String>) -> Duration {
    let ingest = tokio::spawn({
        let embedder = Arc::clone(&embedder);
        async move { embedder.embed_passages(&texts).await.map(|vectors| vectors.len()) }
    });
    // Time for the ingest to fill its queue and to load its sessions.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let begun = Instant::now();
    let vector = embedder.embed_query("Who moved to Lisbon?").await;
    let took = begun.elapsed();
    assert!(vector.is_ok(), "the query failed: {vector:?}");
    assert!(!ingest.is_finished(), "the ingest was over before the query, so nothing was shown");
    ingest.abort();
    took
}

fn identity_is_told(embedder: &dyn Embedder) {
    let identity = embedder.identity();
    assert!(!identity.name.is_empty() && !identity.revision.is_empty(), "{identity:?}");
    assert!(identity.dimension > 0 && identity.max_tokens > 0 && identity.normalised, "{identity:?}");
}

async fn order_is_kept_and_length_is_one(embedder: &dyn Embedder) {
    let texts = samples();
    let vectors = passages(embedder, &texts).await;
    assert_eq!(vectors.len(), texts.len());
    let mut reversed_texts = texts.clone();
    reversed_texts.reverse();
    let mut reversed = passages(embedder, &reversed_texts).await;
    reversed.reverse();
    assert_eq!(vectors, reversed, "the order of the texts changes which vector is whose");
    for (text, vector) in texts.iter().zip(&vectors) {
        assert_eq!(vector.len(), embedder.identity().dimension);
        let length = vector.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
        assert!((length - 1.0).abs() < 1e-5, "length {length} of the vector of {text:?}");
    }
    assert!(embedder.embed_query(&texts[1]).await.is_ok_and(|v| v.len() == embedder.identity().dimension));
}

async fn company_does_not_matter(embedder: &dyn Embedder) {
    let texts = samples();
    let together = passages(embedder, &texts).await;
    for (text, in_batch) in texts.iter().zip(&together) {
        let alone = passages(embedder, std::slice::from_ref(text)).await;
        assert_eq!(&alone[0], in_batch, "bit for bit, {text:?} alone is not {text:?} in a batch");
    }
}

async fn too_long_a_text_is_refused(embedder: &dyn Embedder) {
    let text = long_text(embedder.identity().max_tokens * 20);
    let refused = embedder.embed_passages(std::slice::from_ref(&text)).await;
    assert!(
        matches!(refused, Err(ModelError::OverLimit { .. })),
        "cut silently: {:?}",
        refused.map(|v| v.len())
    );
    let parts: Vec<String> = embedder.split(&text).into_iter().map(|span| text[span].to_owned()).collect();
    assert!(parts.len() > 1 && passages(embedder, &parts).await.len() == parts.len());
    assert!(embedder.split("").is_empty(), "an empty text has no spans");
}

async fn survives_a_restart(embedder: &dyn Embedder, restarted: &dyn Embedder) {
    let texts = samples();
    assert_eq!(embedder.identity(), restarted.identity());
    assert_eq!(
        passages(embedder, &texts).await,
        passages(restarted, &texts).await,
        "a restart changes vectors"
    );
}

#[expect(clippy::panic, reason = "a failed contract is a failed test")]
fn opened(open: Open<'_>) -> Box<dyn Embedder> {
    open().unwrap_or_else(|error| panic!("{error}"))
}

#[expect(clippy::panic, reason = "a failed contract is a failed test")]
async fn passages(embedder: &dyn Embedder, texts: &[String]) -> Vec<Vec<f32>> {
    embedder.embed_passages(texts).await.unwrap_or_else(|error| panic!("{error}"))
}

/// Texts of different lengths and scripts, including an empty and a blank one.
fn samples() -> Vec<String> {
    let long =
        "She moved from Hamburg to Lisbon in May, and keeps the bicycle of her brother there. ".repeat(4);
    [
        "Anna lives in Lisbon.",
        "no",
        "",
        " \n",
        "日本語の短い文です。",
        "Der Zug fährt um 17:45 Uhr ab 🚲",
        &long,
    ]
    .map(String::from)
    .to_vec()
}

/// Prose with paragraphs, then a word without an end, then another script.
fn long_text(bytes: usize) -> String {
    let prose = "On Tuesday she told me about the flat in Lisbon; it costs 850 euros. Her sister, a nurse, disagrees!\n\n";
    let mut text = prose.repeat(bytes * 8 / 10 / prose.len() + 1);
    text.push_str(&"QUJDREVGRw".repeat(bytes / 10 / 10));
    text.push_str(&"記憶は長い文章でも失われない。".repeat(bytes / 10 / 45));
    text
}
