//! The inverted index of one partition: exact top-k BM25 over term hashes, in memory.
//!
//! Rows (one text each) belong to groups (one memory each); a group has the score of its best row. Terms are known by
//! hash only, so the ranking follows from the [`TermVector`]s and [`QueryTerms`](crate::text::QueryTerms) alone.
//! Invariants: document frequencies and the average length are always those of the live rows; a search returns exactly
//! the top k groups, reproducibly, since a score is always summed in the order of the query words.
//!
//! ```text
//! vocabulary   term hash -> term id -> postings: (doc, count), ascending     searched
//! forward      doc -> (term id, count), ascending                            scored, removed
//! rows         doc -> row, group, length, language, live?                    filtered, reported
//! ```
//!
//! Docs number the rows without gaps in the order of insertion. A removed row keeps its doc until enough of them are dead;
//! then all are renumbered at once ([`LexicalIndex::purge`]).

mod bm25;
mod explain;
mod forward;
mod image;
mod postings;
mod rows;
mod search;
mod shared_terms;
#[cfg(test)]
mod tests;
mod top_groups;
mod vocabulary;
mod weighted_terms;
mod windows;

use thiserror::Error;

pub use bm25::Bm25;
pub use explain::TermExplanation;
pub use search::{LexicalHit, LexicalQuery, LexicalScratch};
pub use windows::Windows;

use self::{forward::Forward, rows::RowTable, vocabulary::Vocabulary};
use crate::text::{Language, TermVector};

/// The BM25 index of one partition.
#[derive(Debug, Default)]
pub struct LexicalIndex {
    bm25: Bm25,
    rows: RowTable,
    forward: Forward,
    vocabulary: Vocabulary,
    /// (term id, count) of the row being inserted; kept to reuse its allocation.
    inserting: Vec<(u32, u16)>,
}

/// A row was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LexicalError {
    /// Rows must be inserted in ascending order; numbers are not reused.
    #[error("row {row} does not come after row {last}")]
    RowNotAscending {
        /// The refused row.
        row: u32,
        /// The last inserted row, removed or not.
        last: u32,
    },
    /// The limit of 2^27 rows or of 4 GiB of terms is reached.
    #[error("the partition's lexical index is full")]
    Full,
}

impl LexicalIndex {
    /// An empty index with these parameters.
    pub fn new(bm25: Bm25) -> Self {
        Self { bm25, ..Self::default() }
    }

    /// Adds `row`, which belongs to `group`. A row without terms counts towards the statistics.
    ///
    /// # Errors
    /// [`LexicalError`]; the index is then unchanged.
    pub fn insert(&mut self, row: u32, group: u32, document: &TermVector) -> Result<(), LexicalError> {
        self.rows.check_next(row)?;
        self.forward.check_room(document.terms().len())?;
        let doc = self.rows.next_doc();
        let length_tokens = document.length_tokens();
        self.inserting.clear();
        for term in document.terms() {
            let id = self.vocabulary.push(term.hash, doc, term.count, length_tokens);
            self.inserting.push((id, term.count));
        }
        self.inserting.sort_unstable();
        self.forward.push(&self.inserting);
        self.rows.push(row, group, length_tokens, document.language());
        Ok(())
    }

    /// Removes `row`; returns whether it was there. Its heap is freed by a later purge, which a removal starts when a
    /// quarter of all docs are dead, so that the amortised cost of a removal is constant.
    pub fn remove(&mut self, row: u32) -> bool {
        let Some(doc) = self.rows.doc_of(row) else { return false };
        for (id, _) in self.forward.terms(doc) {
            self.vocabulary.forget_document(id);
        }
        self.rows.kill(doc);
        let dead = self.rows.dead();
        if dead >= MIN_DEAD_TO_PURGE && dead >= self.rows.docs() / 4 {
            self.purge();
        }
        true
    }

    /// Frees the heap of removed rows. Linear in the index: some 130 ms per million rows.
    pub fn purge(&mut self) {
        if self.rows.dead() == 0 {
            return;
        }
        let new_docs = self.rows.renumbering();
        self.vocabulary.renumber(&new_docs);
        self.forward.renumber(&new_docs);
        self.rows.renumber(&new_docs);
    }

    /// Number of live rows.
    pub fn len(&self) -> usize {
        self.rows.live()
    }

    /// True if there is no live row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The languages of the live rows, in each of which a query needs its stems.
    pub fn languages(&self) -> Vec<Language> {
        self.rows.languages()
    }

    /// Heap size in bytes, spare capacity included.
    pub fn bytes(&self) -> usize {
        self.rows.bytes() + self.forward.bytes() + self.vocabulary.bytes()
    }
}

/// No purge below this number of dead rows.
const MIN_DEAD_TO_PURGE: usize = 1_024;
