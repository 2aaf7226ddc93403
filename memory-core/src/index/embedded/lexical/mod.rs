//! Lexical search in one partition held in memory: BM25 over term hashes.
//!
//! Rows (one text each) belong to groups (one memory each), and a group scores as its best row does. The
//! index knows terms by hash only, so it ranks as any other back end that is given the same
//! [`TermVector`]s and [`QueryTerms`](crate::text::QueryTerms). Invariants: document frequencies and the
//! average length are those of the live rows at any time; a search returns exactly the best groups, and
//! the same ones each time, since a score is always added up in the order of the question's words.
//!
//! ```text
//! vocabulary   term hash -> term id -> postings: (doc, count), ascending     searched
//! forward      doc -> (term id, count), ascending                            scored, removed
//! rows         doc -> row, group, length, language, live?                    filtered, reported
//! ```
//!
//! Docs number the rows without holes in the order of insertion. A removed row keeps its doc until
//! enough of them are dead; then all are renumbered at once ([`LexicalIndex::purge`]).

mod bm25;
mod explain;
mod forward;
mod postings;
mod rows;
mod search;
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
    /// (term id, count) of the row being inserted; kept so that an insert allocates nothing.
    inserting: Vec<(u32, u16)>,
}

/// Why a row was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LexicalError {
    /// Rows must come in ascending order; a number that was used is not used again.
    #[error("row {row} does not come after row {last}")]
    RowNotAscending {
        /// The row that was to be inserted.
        row: u32,
        /// The last row inserted, whether or not it has been removed since.
        last: u32,
    },
    /// The partition holds as many rows, or as much text, as it can address: 2^27 rows, 4 GiB of terms.
    #[error("the partition's lexical index is full")]
    Full,
}

impl LexicalIndex {
    /// An empty index that ranks by `bm25`.
    pub fn new(bm25: Bm25) -> Self {
        Self { bm25, ..Self::default() }
    }

    /// Adds `row`, which belongs to `group`. A row without terms counts towards the statistics.
    ///
    /// # Errors
    /// [`LexicalError`]; the index is then as it was.
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

    /// Takes `row` out; whether it was there. Its memory is freed by a later purge, which removals set off
    /// when a quarter of all docs are dead, so that the cost per removal is constant on average.
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

    /// Frees what removed rows still hold. Linear in the index; pauses it for some 130 ms per million rows.
    pub fn purge(&mut self) {
        if self.rows.dead() == 0 {
            return;
        }
        let new_docs = self.rows.renumbering();
        self.vocabulary.renumber(&new_docs);
        self.forward.renumber(&new_docs);
        self.rows.renumber(&new_docs);
    }

    /// Live rows.
    pub fn len(&self) -> usize {
        self.rows.live()
    }

    /// Whether there is no live row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The languages of the live rows: what a question must offer its stems in.
    pub fn languages(&self) -> Vec<Language> {
        self.rows.languages()
    }

    /// Heap memory held, in bytes, spare capacity included.
    pub fn bytes(&self) -> usize {
        self.rows.bytes() + self.forward.bytes() + self.vocabulary.bytes()
    }
}

/// Fewer dead rows than this are no burden.
const MIN_DEAD_TO_PURGE: usize = 1_024;
