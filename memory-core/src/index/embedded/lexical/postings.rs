//! The postings list of a term: docs with counts.
//!
//! A posting has four bytes, since postings are most of the index: 27 bits of doc and 5 bits of count. A count that does
//! not fit is marked, and read from the forward index when a row is scored. Invariants: docs ascend strictly;
//! `document_frequency` counts live rows only, though the list may hold dead ones; the extremes bound the contribution of
//! every posting.

/// A doc and a count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Posting(u32);

impl Posting {
    /// Docs are below this.
    pub(super) const MAX_DOCS: usize = 1 << (u32::BITS - COUNT_BITS);

    fn new(doc: u32, count: u16) -> Self {
        Self(doc << COUNT_BITS | u32::from(count).min(LARGE_COUNT))
    }

    #[inline]
    pub(super) fn doc(self) -> u32 {
        self.0 >> COUNT_BITS
    }

    /// An upper bound of the count: the count itself, or the largest possible one if it does not fit.
    #[inline]
    pub(super) fn count_bound(self) -> f32 {
        let count = self.0 & LARGE_COUNT;
        if count == LARGE_COUNT { LARGE_COUNT_BOUND } else { count as f32 }
    }
}

const COUNT_BITS: u32 = 5;

/// The stored form of this count and of every larger one.
const LARGE_COUNT: u32 = (1 << COUNT_BITS) - 1;

/// The largest count of a term vector.
const LARGE_COUNT_BOUND: f32 = u16::MAX as f32;

/// The postings of one term.
#[derive(Debug)]
pub(super) struct TermPostings {
    /// Hash of the term.
    pub(super) hash: u32,
    /// Number of live rows that have the term.
    pub(super) document_frequency: u32,
    /// The largest count of all postings.
    pub(super) max_count: u16,
    /// The length of the shortest row of all postings, in tokens.
    pub(super) min_length_tokens: u32,
    list: Vec<Posting>,
}

impl TermPostings {
    pub(super) fn new(hash: u32) -> Self {
        Self { hash, document_frequency: 0, max_count: 0, min_length_tokens: u32::MAX, list: Vec::new() }
    }

    /// A term with room for so many postings.
    pub(super) fn with_room(hash: u32, postings: usize) -> Self {
        Self { list: Vec::with_capacity(postings), ..Self::new(hash) }
    }

    /// True if a posting is added without a new allocation.
    pub(super) fn has_room(&self) -> bool {
        self.list.len() < self.list.capacity()
    }

    /// Dead and live postings, by ascending doc.
    pub(super) fn list(&self) -> &[Posting] {
        &self.list
    }

    /// Appends a posting; `doc` is greater than all before.
    pub(super) fn push(&mut self, doc: u32, count: u16, length_tokens: u32) {
        if self.list.len() == self.list.capacity() {
            // Growth by a quarter: doubling would leave a third of the index unused.
            self.list.reserve_exact((self.list.len() / 4).max(2));
        }
        self.list.push(Posting::new(doc, count));
        self.document_frequency += 1;
        self.max_count = self.max_count.max(count);
        self.min_length_tokens = self.min_length_tokens.min(length_tokens);
    }

    /// Drops dead postings and gives the others their new docs.
    pub(super) fn renumber(&mut self, new_docs: &[Option<u32>]) {
        self.list.retain_mut(|posting| match new_docs.get(posting.doc() as usize).copied().flatten() {
            Some(doc) => {
                posting.0 = doc << COUNT_BITS | posting.0 & LARGE_COUNT;
                true
            }
            None => false,
        });
        if self.list.capacity() > self.list.len() + self.list.len() / 2 {
            self.list.shrink_to_fit();
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.list.capacity() * size_of::<Posting>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_posting_has_its_doc_and_a_bound_of_its_count() {
        let last = u32::try_from(Posting::MAX_DOCS - 1).unwrap();
        let posting = Posting::new(last, 30);
        assert_eq!((posting.doc(), posting.count_bound()), (last, 30.0));
        assert!(Posting::new(0, 31).count_bound() >= 31.0);
        assert!(Posting::new(0, u16::MAX).count_bound() >= f32::from(u16::MAX));
    }

    #[test]
    fn renumbering_drops_dead_postings() {
        let mut postings = TermPostings::new(7);
        (0..4).for_each(|doc| postings.push(doc, 40, 9));
        postings.renumber(&[None, Some(0), None, Some(1)]);
        let docs: Vec<u32> = postings.list().iter().map(|posting| posting.doc()).collect();
        assert_eq!(docs, [0, 1]);
        assert!(postings.list().iter().all(|posting| posting.count_bound() >= 40.0));
    }
}
