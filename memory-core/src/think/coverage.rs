//! Coverage key of a digest, pure: by it a digest is recognised as made of the same content, so that it is made again only
//! when that changed.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::domain::memory::Memory;

/// Member of a digest's metadata that has its coverage key.
const MEMBER: &str = "covers_key";
/// Length of a key in bytes; it has twice as many hexadecimal digits.
const KEY_BYTES: usize = 16;

/// Coverage key: SHA-256 over the recipe and over the sorted ids and versions of what is covered, cut to 16 bytes. It has no
/// text in it (ADR 0030).
pub(in crate::think) fn key<'m>(recipe: &str, covered: impl IntoIterator<Item = &'m Memory>) -> String {
    let mut versions: Vec<(uuid::Uuid, u32)> =
        covered.into_iter().map(|memory| (memory.id.0, memory.version)).collect();
    versions.sort_unstable();
    let mut hash = Sha256::new();
    hash.update(recipe.as_bytes());
    for (id, version) in versions {
        hash.update(id.as_bytes());
        hash.update(version.to_le_bytes());
    }
    hash.finalize().iter().take(KEY_BYTES).map(|byte| format!("{byte:02x}")).collect()
}

/// Coverage key of a stored digest.
pub(in crate::think) fn key_of(digest: &Memory) -> Option<&str> {
    digest.metadata.as_map().get(MEMBER)?.as_str()
}

/// Puts a coverage key into metadata, in place of one that is there; `None` removes it.
pub(in crate::think) fn put_key(metadata: &mut Map<String, Value>, key: Option<String>) {
    metadata.remove(MEMBER);
    metadata.extend(key.map(|key| (MEMBER.to_owned(), Value::String(key))));
}
