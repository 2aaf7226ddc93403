//! Key of the keyed digests of a store (ADR 0030): made once, and recognised when the store is opened again.
//!
//! The key itself is kept by the module of the database. A store remembers a digest under its key, so that a lost or
//! foreign key is noticed: earlier records are then no longer recognised, and nothing else is wrong.

use super::maintenance::{put_setting, read_setting};
use super::{Db, StoreError, unavailable};
use crate::domain::keyed_digest::KeyedDigest;

/// Setting with the digest of nothing under the store's key, in hexadecimal.
const FINGERPRINT: &str = "digest_key_fingerprint";

/// Key of random bytes from the operating system.
pub(in super::super) fn random_key() -> Result<[u8; KeyedDigest::KEY_BYTES], StoreError> {
    let mut key = [0; KeyedDigest::KEY_BYTES];
    getrandom::fill(&mut key).map_err(unavailable)?;
    Ok(key)
}

/// Compares the key with the one that the store was used with before, and remembers it.
pub(super) async fn recognise_key(writer: &sqlx::Pool<Db>, digests: &KeyedDigest) -> Result<(), StoreError> {
    let fingerprint = hexadecimal(&digests.digest(FINGERPRINT, &[]));
    let before = match read_setting(writer, FINGERPRINT).await {
        // It is made anew like one of another key.
        Err(StoreError::Corrupt { .. }) => Some(String::new()),
        before => before?,
    };
    if before.as_ref() == Some(&fingerprint) {
        return Ok(());
    }
    if before.is_some() {
        tracing::warn!(
            "the digest key is not the one that this store was used with: earlier requests with idempotency keys, and \
             other records under the old key, are no longer recognised"
        );
    }
    put_setting(writer, FINGERPRINT, &fingerprint).await
}

/// Bytes as hexadecimal digits.
pub(in super::super) fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
