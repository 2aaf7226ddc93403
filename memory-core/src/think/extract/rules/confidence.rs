//! Requests to keep something from others: "don't tell anyone", "between you and me".

/// Phrases of such a request, in lower case with straight apostrophes.
const REQUESTS: &[&str] = &[
    "don't tell anyone",
    "do not tell anyone",
    "don't tell anybody",
    "don't tell my",
    "don't tell him",
    "don't tell her",
    "please don't tell",
    "don't share this",
    "don't mention this to",
    "don't mention it to",
    "keep this between us",
    "keep it between us",
    "keep that between us",
    "just between us",
    "between you and me",
    "keep this private",
    "keep it private",
    "keep this to yourself",
    "keep it to yourself",
    "keep that to yourself",
    "in confidence",
    "it's a secret",
    "it is a secret",
    "this is a secret",
    "keep it a secret",
    "keep this a secret",
    "keep it secret",
    "keep this secret",
    "confidentially",
    "nobody knows",
    "no one knows",
    "haven't told anyone",
    "not told anyone",
    "nobody else knows",
    "no one else knows",
    "strictly confidential",
    "off the record",
];
/// Part of a text that is searched, in bytes.
const MAX_BYTES: usize = 16_384;

/// True if a text asks for confidence anywhere.
pub(super) fn has_request(text: &str) -> bool {
    let part = text.get(..text.floor_char_boundary(MAX_BYTES)).unwrap_or_default();
    let lower = part.to_lowercase().replace('’', "'");
    REQUESTS.iter().any(|request| lower.contains(request))
}

/// True if the first sentence of a text asks for confidence, which then is about the turn before it.
pub(super) fn opens_with_request(text: &str) -> bool {
    crate::text::sentences(text).first().and_then(|span| text.get(span.clone())).is_some_and(has_request)
}
