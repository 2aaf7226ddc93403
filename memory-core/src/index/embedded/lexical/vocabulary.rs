//! The vocabulary: term hash to term id to postings.
//!
//! Ids are numbers in the order of first occurrence, so that frequent terms have short ones in the forward index.
//! Invariant: an id belongs to one term as long as a doc, live or dead, has that term. A purge frees the ids of terms
//! without docs for reuse, so that the vocabulary is bounded by its largest past size.

use std::collections::HashMap;

use super::super::heap_size;
use super::postings::TermPostings;

/// All terms and their postings.
#[derive(Debug, Default)]
pub(super) struct Vocabulary {
    /// The standard hasher resists crafted collisions; hashing is not the bottleneck.
    ids: HashMap<u32, u32>,
    terms: Vec<TermPostings>,
    free_ids: Vec<u32>,
    posting_bytes: usize,
}

impl Vocabulary {
    /// Adds a posting to the term with `hash`, which may be new; returns the term's id.
    pub(super) fn push(&mut self, hash: u32, doc: u32, count: u16, length_tokens: u32) -> u32 {
        let id = *self.ids.entry(hash).or_insert_with(|| match self.free_ids.pop() {
            Some(id) => {
                self.terms[id as usize] = TermPostings::new(hash);
                id
            }
            None => {
                self.terms.push(TermPostings::new(hash));
                (self.terms.len() - 1) as u32
            }
        });
        let term = &mut self.terms[id as usize];
        let bytes_before = term.bytes();
        term.push(doc, count, length_tokens);
        self.posting_bytes += term.bytes() - bytes_before;
        id
    }

    /// Hash and document frequency of each id, in their order.
    pub(super) fn terms(&self) -> impl ExactSizeIterator<Item = (u32, u32)> + '_ {
        self.terms.iter().map(|term| (term.hash, term.document_frequency))
    }

    /// Adds the next id with room for so many postings; a free one without any. False if the hash has an id already.
    pub(super) fn push_term(&mut self, hash: u32, document_frequency: u32) -> bool {
        let id = self.terms.len() as u32;
        if document_frequency == 0 {
            self.free_ids.push(id);
            self.terms.push(TermPostings::new(0));
            return true;
        }
        let term = TermPostings::with_room(hash, document_frequency as usize);
        self.posting_bytes += term.bytes();
        self.terms.push(term);
        self.ids.insert(hash, id).is_none()
    }

    /// Adds a posting to a term of [`push_term`](Self::push_term). False if the term has no room for it.
    pub(super) fn fill(&mut self, id: u32, doc: u32, count: u16, length_tokens: u32) -> bool {
        let Some(term) = self.terms.get_mut(id as usize).filter(|term| term.has_room()) else { return false };
        term.push(doc, count, length_tokens);
        true
    }

    /// Makes room for so many further ids, of which so many are in use.
    pub(super) fn reserve(&mut self, ids: usize, in_use: usize) {
        self.terms.reserve_exact(ids);
        self.ids.reserve(in_use);
    }

    /// Decrements the term's document frequency.
    pub(super) fn forget_document(&mut self, id: u32) {
        let term = &mut self.terms[id as usize];
        term.document_frequency = term.document_frequency.saturating_sub(1);
    }

    /// The id and postings of the term with `hash`, if a live row has it.
    pub(super) fn find(&self, hash: u32) -> Option<(u32, &TermPostings)> {
        let id = *self.ids.get(&hash)?;
        let term = &self.terms[id as usize];
        (term.document_frequency > 0).then_some((id, term))
    }

    pub(super) fn term(&self, id: u32) -> &TermPostings {
        &self.terms[id as usize]
    }

    /// Drops dead postings, renumbers the others, and removes terms without postings.
    pub(super) fn renumber(&mut self, new_docs: &[Option<u32>]) {
        self.posting_bytes = 0;
        for (id, term) in self.terms.iter_mut().enumerate() {
            let was_in_use = !term.list().is_empty();
            term.renumber(new_docs);
            self.posting_bytes += term.bytes();
            if was_in_use && term.list().is_empty() {
                self.ids.remove(&term.hash);
                self.free_ids.push(id as u32);
            }
        }
        self.ids.shrink_to(self.ids.len() + self.ids.len() / 4);
    }

    pub(super) fn bytes(&self) -> usize {
        let of_lists = self.posting_bytes + self.terms.len() * heap_size::PIECE_BYTES;
        heap_size::of_table(&self.ids)
            + heap_size::of_vec(&self.terms)
            + heap_size::of_vec(&self.free_ids)
            + of_lists
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_removed_terms_are_reused() {
        let mut vocabulary = Vocabulary::default();
        let kept = vocabulary.push(100, 0, 1, 5);
        let forgotten = vocabulary.push(200, 1, 1, 5);
        vocabulary.forget_document(forgotten);
        assert!(vocabulary.find(200).is_none());
        vocabulary.renumber(&[Some(0), None]);
        assert_eq!(vocabulary.push(300, 1, 1, 5), forgotten);
        assert_eq!(vocabulary.find(100).map(|(id, _)| id), Some(kept));
        assert!(vocabulary.find(200).is_none());
    }
}
