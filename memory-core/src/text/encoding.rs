//! Stored encoding of a term vector, so that a cold partition is loaded without tokenisation.
//!
//! Layout: version (1 byte), language (1 byte, plus [`ASKS`] if the document ends with a question), length in tokens,
//! number of terms, then for each term by ascending hash the difference to the previous hash (to 0 for the first) and
//! the count; numbers are LEB128. About five bytes per term. The bytes do not name the tokenizer: the store keeps
//! [`Tokenizer::IDENTITY`](super::Tokenizer::IDENTITY) beside them. Invariant: one vector has one encoding;
//! [`TermVector::decode`] accepts that and refuses everything else.

use thiserror::Error;

use super::{Language, Term, TermVector, varint};

/// Reason to refuse bytes as a term vector.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TermVectorError {
    /// Another version of the format, or not a term vector at all.
    #[error("term vector version {0} is not known")]
    Version(u8),
    /// Language byte without a language.
    #[error("term vector language {0} is not known")]
    Language(u8),
    /// Truncated or overlong bytes, or a number that is out of range or not in its shortest form.
    #[error("term vector is malformed: {0}")]
    Malformed(&'static str),
}

impl TermVector {
    /// Appends the encoded vector to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let ends_with_question = if self.ends_with_question { ASKS } else { 0 };
        out.extend([VERSION, self.language.to_byte() | ends_with_question]);
        varint::write(self.length_tokens, out);
        varint::write(u32::try_from(self.terms.len()).unwrap_or(u32::MAX), out);
        let mut previous = 0;
        for term in &self.terms {
            varint::write(term.hash - previous, out);
            varint::write(u32::from(term.count), out);
            previous = term.hash;
        }
    }

    /// Decodes the output of [`encode`](Self::encode).
    ///
    /// # Errors
    /// [`TermVectorError`] unless `bytes` are exactly one encoded vector. Memory is bounded by their number.
    pub fn decode(bytes: &[u8]) -> Result<Self, TermVectorError> {
        let [version, language, rest @ ..] = bytes else {
            return Err(TermVectorError::Malformed("too short"));
        };
        if *version != VERSION {
            return Err(TermVectorError::Version(*version));
        }
        let ends_with_question = *language & ASKS != 0;
        let language = Language::from_byte(*language & !ASKS).ok_or(TermVectorError::Language(*language))?;
        let mut rest = rest;
        let mut number = || varint::read(&mut rest).ok_or(TermVectorError::Malformed("number"));
        let length_tokens = number()?;
        let term_count = number()?;
        let terms = decode_terms(term_count, &mut rest)?;
        if !rest.is_empty() {
            return Err(TermVectorError::Malformed("bytes left over"));
        }
        check_length(&terms, length_tokens)?;
        Ok(Self { terms, length_tokens, language, ends_with_question })
    }
}

const VERSION: u8 = 1;

/// Flag in the highest bit of the language byte: the document ends with a question.
const ASKS: u8 = 0x80;

const MIN_BYTES_PER_TERM: usize = 2;

fn decode_terms(term_count: u32, rest: &mut &[u8]) -> Result<Vec<Term>, TermVectorError> {
    let term_count = usize::try_from(term_count).unwrap_or(usize::MAX);
    if term_count > rest.len() / MIN_BYTES_PER_TERM {
        return Err(TermVectorError::Malformed("more terms than bytes"));
    }
    let mut terms: Vec<Term> = Vec::with_capacity(term_count);
    for _ in 0..term_count {
        let delta = varint::read(rest).ok_or(TermVectorError::Malformed("hash"))?;
        let count = varint::read(rest).ok_or(TermVectorError::Malformed("count"))?;
        let hash = match terms.last() {
            None => Some(delta),
            Some(previous) if delta > 0 => previous.hash.checked_add(delta),
            Some(_) => None,
        };
        let hash = hash.ok_or(TermVectorError::Malformed("hashes do not ascend"))?;
        let count = u16::try_from(count).ok().filter(|count| *count > 0);
        let count = count.ok_or(TermVectorError::Malformed("count out of range"))?;
        terms.push(Term { hash, count });
    }
    Ok(terms)
}

fn check_length(terms: &[Term], length_tokens: u32) -> Result<(), TermVectorError> {
    let counted: u64 = terms.iter().map(|term| u64::from(term.count)).sum();
    let is_saturated = length_tokens == u32::MAX || terms.iter().any(|term| term.count == u16::MAX);
    let length = u64::from(length_tokens);
    if counted == length || (is_saturated && counted < length) {
        Ok(())
    } else {
        Err(TermVectorError::Malformed("counts do not add up to the length"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn vectors() -> impl Strategy<Value = TermVector> {
        let hashes = proptest::collection::vec(prop_oneof![any::<u32>(), 0_u32..8], 0..60);
        (hashes, 0..Language::ALL.len(), any::<bool>()).prop_map(|(hashes, language, ends_with_question)| {
            TermVector::from_hashes(hashes, Language::ALL[language]).asking(ends_with_question)
        })
    }

    fn encoded(vector: &TermVector) -> Vec<u8> {
        let mut bytes = Vec::new();
        vector.encode(&mut bytes);
        bytes
    }

    #[test]
    fn the_layout_is_pinned() {
        let vector = TermVector::from_hashes(vec![300, 5, 300], Language::German);
        assert_eq!(encoded(&vector), [1, 7, 3, 2, 5, 1, 0xA7, 0x02, 2]);
        assert_eq!(encoded(&vector.asking(true)), [1, 0x87, 3, 2, 5, 1, 0xA7, 0x02, 2]);
    }

    #[test]
    fn saturated_counts_are_decoded_exactly() {
        let vector = TermVector::from_hashes(vec![9; 70_000], Language::Other);
        assert_eq!(TermVector::decode(&encoded(&vector)), Ok(vector));
    }

    #[test]
    fn each_kind_of_damage_has_its_error() {
        assert_eq!(TermVector::decode(&[1]), Err(TermVectorError::Malformed("too short")));
        assert_eq!(TermVector::decode(&[2, 0, 0, 0]), Err(TermVectorError::Version(2)));
        assert_eq!(TermVector::decode(&[1, 99, 0, 0]), Err(TermVectorError::Language(99)));
        assert_eq!(
            TermVector::decode(&[1, 0, 1, 0xFF, 0xFF, 3, 5, 1]),
            Err(TermVectorError::Malformed("more terms than bytes"))
        );
        assert_eq!(
            TermVector::decode(&[1, 0, 2, 1, 5, 1]),
            Err(TermVectorError::Malformed("counts do not add up to the length"))
        );
    }

    proptest! {
        #[test]
        fn decoding_inverts_encoding(vector in vectors()) {
            prop_assert_eq!(TermVector::decode(&encoded(&vector)), Ok(vector));
        }

        /// Damaged bytes are refused, or are the one encoding of another valid vector.
        #[test]
        fn damaged_bytes_are_refused_or_encode_another_vector(
            vector in vectors(),
            at in any::<proptest::sample::Index>(),
            byte in any::<u8>(),
            kept in any::<proptest::sample::Index>(),
        ) {
            let mut bytes = encoded(&vector);
            let position = at.index(bytes.len());
            bytes[position] = byte;
            bytes.truncate(kept.index(bytes.len() + 1));
            if let Ok(decoded) = TermVector::decode(&bytes) {
                prop_assert_eq!(encoded(&decoded), bytes);
            }
        }

        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(decoded) = TermVector::decode(&bytes) {
                prop_assert_eq!(encoded(&decoded), bytes);
            }
        }
    }
}
