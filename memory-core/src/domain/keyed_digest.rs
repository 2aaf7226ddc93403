//! Keyed digests: HMAC-SHA-256 of values that must be recognised again, but not be guessed from what is stored (ADR 0030).
//!
//! A plain hash of a short text is as good as the text: all texts that it could be are tried in seconds. Without the key,
//! a keyed digest says nothing about its value, not even that two stores hold the same one.

use std::fmt;

use hmac::{Hmac, Mac as _};
use sha2::Sha256;

/// Key of a store, and the digests under it.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyedDigest {
    key: [u8; KeyedDigest::KEY_BYTES],
}

impl KeyedDigest {
    /// Length of a key, in bytes.
    pub const KEY_BYTES: usize = 32;

    /// Digests under this key, which is to be random.
    pub const fn new(key: [u8; KeyedDigest::KEY_BYTES]) -> Self {
        Self { key }
    }

    /// HMAC-SHA-256 (RFC 2104) of a purpose and the parts of a value. Digests of two purposes never match, and neither do
    /// those of values whose parts are divided at other places: each part follows its length, as 8 bytes, the most
    /// significant one first.
    pub fn digest(&self, purpose: &'static str, parts: &[&[u8]]) -> [u8; 32] {
        // A key shorter than a block is padded with zeros (RFC 2104): a whole block cannot be refused.
        let mut block = hmac::digest::Key::<Hmac<Sha256>>::default();
        block.iter_mut().zip(self.key).for_each(|(padded, byte)| *padded = byte);
        let mut mac = Hmac::<Sha256>::new(&block);
        for part in std::iter::once(purpose.as_bytes()).chain(parts.iter().copied()) {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for KeyedDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyedDigest(***)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sha2::Digest as _;

    use super::*;

    const KEY: KeyedDigest = KeyedDigest::new([7; 32]);

    #[test]
    fn the_digest_is_the_hmac_of_its_definition() {
        let block = |byte: u8| [[7 ^ byte; 32], [byte; 32]].concat();
        let message = [&8_u64.to_be_bytes()[..], b"purpose1", &2_u64.to_be_bytes(), b"ab"].concat();
        let inner = Sha256::digest([&block(0x36)[..], &message].concat());
        let outer = Sha256::digest([&block(0x5c)[..], &inner[..]].concat());
        assert_eq!(KEY.digest("purpose1", &[b"ab"])[..], outer[..]);
    }

    #[test]
    fn keys_purposes_and_divisions_are_told_apart() {
        let all = [
            KEY.digest("p", &[b"ab", b"c"]),
            KEY.digest("p", &[b"a", b"bc"]),
            KEY.digest("p", &[b"abc"]),
            KEY.digest("p", &[b"abc", b""]),
            KEY.digest("q", &[b"abc"]),
            KeyedDigest::new([8; 32]).digest("p", &[b"abc"]),
        ];
        assert_eq!(std::collections::HashSet::from(all).len(), all.len());
    }

    #[test]
    fn a_key_is_never_printed() {
        assert_eq!(format!("{KEY:?}"), "KeyedDigest(***)");
    }

    proptest! {
        #[test]
        fn equal_digests_are_of_equal_values(
            one in prop::collection::vec("[ab]{0,2}", 0..3),
            other in prop::collection::vec("[ab]{0,2}", 0..3),
        ) {
            let digest = |parts: &[String]| {
                KEY.digest("p", &parts.iter().map(String::as_bytes).collect::<Vec<_>>())
            };
            prop_assert_eq!(digest(&one) == digest(&other), one == other);
        }
    }
}
