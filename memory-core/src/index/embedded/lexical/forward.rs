//! The forward index: the terms of each doc.
//!
//! A removal reads it to decrement document frequencies, and single rows are scored from it without reading postings.
//! Encoding of a doc: for each term, by ascending id, the difference to the previous id, doubled, plus one if a count
//! above 1 follows; numbers are LEB128. Some two bytes per term.
//! Invariant: `starts` has one entry more than there are docs, so that doc `s` is
//! `bytes[starts[s]..starts[s + 1]]`.

use super::super::heap_size;
use super::LexicalError;
use crate::text::varint;

/// Term ids and counts by doc.
#[derive(Debug)]
pub(super) struct Forward {
    bytes: Vec<u8>,
    starts: Vec<u32>,
}

impl Default for Forward {
    fn default() -> Self {
        Self { bytes: Vec::new(), starts: vec![0] }
    }
}

impl Forward {
    /// Fails if a doc of so many terms cannot be addressed.
    pub(super) fn check_room(&self, term_count: usize) -> Result<(), LexicalError> {
        let worst = self.bytes.len().saturating_add(term_count.saturating_mul(MAX_BYTES_PER_TERM));
        if worst > MAX_BYTES { Err(LexicalError::Full) } else { Ok(()) }
    }

    /// Appends the next doc: its terms by ascending id, each with its count.
    pub(super) fn push(&mut self, terms: &[(u32, u16)]) {
        let worst = terms.len() * MAX_BYTES_PER_TERM;
        if self.bytes.capacity() - self.bytes.len() < worst {
            // Growth by a quarter: doubling would leave a third of the index unused.
            self.bytes.reserve_exact((self.bytes.len() / 4).max(worst));
        }
        let mut previous = 0;
        for &(id, count) in terms {
            let repeats = count > 1;
            varint::write((id - previous) << 1 | u32::from(repeats), &mut self.bytes);
            if repeats {
                varint::write(u32::from(count), &mut self.bytes);
            }
            previous = id;
        }
        self.starts.push(self.bytes.len() as u32);
    }

    /// The terms of `doc` by ascending id, each with its count.
    #[inline]
    pub(super) fn terms(&self, doc: u32) -> DocTerms<'_> {
        let doc = doc as usize;
        let (start, end) = (self.starts[doc] as usize, self.starts[doc + 1] as usize);
        DocTerms { rest: &self.bytes[start..end], id: 0 }
    }

    /// The encoded terms of `doc`.
    pub(super) fn encoded(&self, doc: u32) -> &[u8] {
        let doc = doc as usize;
        &self.bytes[self.starts[doc] as usize..self.starts[doc + 1] as usize]
    }

    /// The forward index of docs of so many `bytes` each; none unless they are all of `bytes`.
    pub(super) fn from_encoded(bytes: Vec<u8>, lengths: &[u32]) -> Option<Self> {
        let mut starts = Vec::with_capacity(lengths.len() + 1);
        let mut start = 0_u32;
        starts.push(start);
        for length in lengths {
            start = start.checked_add(*length)?;
            starts.push(start);
        }
        (start as usize == bytes.len()).then_some(Self { bytes, starts })
    }

    /// Calls `each` with id and count of each term of `doc`, which may have any bytes. False if they are not those of
    /// terms by ascending id, or `each` is false.
    pub(super) fn check_terms(&self, doc: u32, mut each: impl FnMut(u32, u16) -> bool) -> bool {
        let mut rest = self.encoded(doc);
        let mut previous: Option<u32> = None;
        while !rest.is_empty() {
            let Some(marked) = varint::read(&mut rest) else { return false };
            let (step, is_first) = (marked >> 1, previous.is_none());
            let Some(id) = previous.unwrap_or(0).checked_add(step).filter(|_| step > 0 || is_first) else {
                return false;
            };
            let count = if marked & 1 == 0 { Some(1) } else { varint::read(&mut rest) };
            let count = count.and_then(|count| u16::try_from(count).ok());
            if !count.is_some_and(|count| each(id, count)) {
                return false;
            }
            previous = Some(id);
        }
        true
    }

    /// Drops the docs without a new number and moves the others together.
    pub(super) fn renumber(&mut self, new_docs: &[Option<u32>]) {
        let mut kept_bytes = 0;
        let mut kept_docs = 0;
        for (doc, _) in new_docs.iter().enumerate().filter(|(_, new_doc)| new_doc.is_some()) {
            let range = self.starts[doc] as usize..self.starts[doc + 1] as usize;
            let length = range.len();
            self.bytes.copy_within(range, kept_bytes);
            kept_bytes += length;
            kept_docs += 1;
            self.starts[kept_docs] = kept_bytes as u32;
        }
        self.bytes.truncate(kept_bytes);
        self.starts.truncate(kept_docs + 1);
        self.bytes.shrink_to(kept_bytes + kept_bytes / 4);
        self.starts.shrink_to(kept_docs + kept_docs / 4);
    }

    pub(super) fn bytes(&self) -> usize {
        heap_size::of_vec(&self.bytes) + heap_size::of_vec(&self.starts)
    }
}

/// Iterator over the terms of a doc: id and count.
pub(super) struct DocTerms<'a> {
    rest: &'a [u8],
    id: u32,
}

impl Iterator for DocTerms<'_> {
    type Item = (u32, u16);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let marked = varint::read(&mut self.rest)?;
        self.id += marked >> 1;
        let count = if marked & 1 == 0 { 1 } else { varint::read(&mut self.rest)? as u16 };
        Some((self.id, count))
    }
}

/// Five bytes for the id, three for the count.
const MAX_BYTES_PER_TERM: usize = 8;

/// Offsets are 32-bit.
const MAX_BYTES: usize = u32::MAX as usize;

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(forward: &Forward, doc: u32) -> Vec<(u32, u16)> {
        forward.terms(doc).collect()
    }

    #[test]
    fn docs_decode_to_what_was_pushed_also_after_renumbering() {
        let docs: [&[(u32, u16)]; 3] = [&[(0, 1), (7, 300), (1 << 30, 2)], &[], &[(5, u16::MAX)]];
        let mut forward = Forward::default();
        docs.iter().for_each(|doc| forward.push(doc));
        for (number, doc) in (0..).zip(docs) {
            assert_eq!(terms(&forward, number), doc);
        }
        forward.renumber(&[None, Some(0), Some(1)]);
        assert_eq!(terms(&forward, 0), docs[1]);
        assert_eq!(terms(&forward, 1), docs[2]);
        forward.push(docs[0]);
        assert_eq!(terms(&forward, 2), docs[0]);
    }

    #[test]
    fn a_doc_that_cannot_be_addressed_is_refused() {
        let forward = Forward::default();
        assert_eq!(forward.check_room(1_000), Ok(()));
        assert_eq!(forward.check_room(usize::MAX), Err(LexicalError::Full));
    }
}
