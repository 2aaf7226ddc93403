//! The row table: row number, group, length, language and liveness by doc.
//!
//! Invariants: rows ascend with docs, so that a row is found by binary search and gaps cost nothing; the totals are those of
//! the live rows.

use super::super::heap_size;
use super::{LexicalError, postings::Posting};
use crate::text::Language;

/// The columns of all docs.
#[derive(Debug, Default)]
pub(super) struct RowTable {
    rows: Vec<u32>,
    groups: Vec<u32>,
    lengths_tokens: Vec<u32>,
    languages: Vec<Language>,
    /// One bit per doc.
    live_bits: Vec<u64>,
    live: usize,
    total_length_tokens: u64,
    rows_by_language: [u32; Language::COUNT],
    /// The last row ever inserted, purged or not.
    last_row: Option<u32>,
}

impl RowTable {
    /// Fails if `row` must not be pushed.
    pub(super) fn check_next(&self, row: u32) -> Result<(), LexicalError> {
        match self.last_row {
            Some(last) if row <= last => Err(LexicalError::RowNotAscending { row, last }),
            _ if self.docs() >= Posting::MAX_DOCS => Err(LexicalError::Full),
            _ => Ok(()),
        }
    }

    /// The doc of the next push.
    pub(super) fn next_doc(&self) -> u32 {
        self.docs() as u32
    }

    pub(super) fn push(&mut self, row: u32, group: u32, length_tokens: u32, language: Language) {
        let doc = self.docs();
        if doc.is_multiple_of(64) {
            self.live_bits.push(0);
        }
        self.live_bits[doc / 64] |= 1 << (doc % 64);
        self.rows.push(row);
        self.groups.push(group);
        self.lengths_tokens.push(length_tokens);
        self.languages.push(language);
        self.live += 1;
        self.total_length_tokens += u64::from(length_tokens);
        self.rows_by_language[usize::from(language.to_byte())] += 1;
        self.last_row = Some(row);
    }

    /// Makes room for so many further docs.
    pub(super) fn reserve(&mut self, docs: usize) {
        [&mut self.rows, &mut self.groups, &mut self.lengths_tokens]
            .into_iter()
            .for_each(|column| column.reserve_exact(docs));
        self.languages.reserve_exact(docs);
        self.live_bits.reserve_exact(docs.div_ceil(64));
    }

    /// Docs, rows, lengths in tokens and languages of the live docs.
    pub(super) fn live_docs(&self) -> impl Iterator<Item = (u32, u32, u32, Language)> + '_ {
        let docs = (0..).zip(&self.rows).zip(&self.lengths_tokens).zip(&self.languages);
        docs.map(|(((doc, row), length), language)| (doc, *row, *length, *language))
            .filter(|(doc, ..)| self.is_live(*doc))
    }

    /// Marks a live doc dead.
    pub(super) fn kill(&mut self, doc: u32) {
        let doc = doc as usize;
        self.live_bits[doc / 64] &= !(1 << (doc % 64));
        self.live -= 1;
        self.total_length_tokens -= u64::from(self.lengths_tokens[doc]);
        self.rows_by_language[usize::from(self.languages[doc].to_byte())] -= 1;
    }

    /// The doc of a live row.
    pub(super) fn doc_of(&self, row: u32) -> Option<u32> {
        let doc = self.rows.binary_search(&row).ok()? as u32;
        self.is_live(doc).then_some(doc)
    }

    #[inline]
    pub(super) fn is_live(&self, doc: u32) -> bool {
        self.live_bits[doc as usize / 64] >> (doc % 64) & 1 == 1
    }

    #[inline]
    pub(super) fn row(&self, doc: u32) -> u32 {
        self.rows[doc as usize]
    }

    #[inline]
    pub(super) fn group(&self, doc: u32) -> u32 {
        self.groups[doc as usize]
    }

    /// Lengths in tokens by doc.
    #[inline]
    pub(super) fn lengths_tokens(&self) -> &[u32] {
        &self.lengths_tokens
    }

    /// Number of docs, dead ones included.
    pub(super) fn docs(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn live(&self) -> usize {
        self.live
    }

    pub(super) fn dead(&self) -> usize {
        self.docs() - self.live
    }

    /// Mean length of the live rows, in tokens; 0 when there are none.
    pub(super) fn average_length(&self) -> f64 {
        if self.live == 0 { 0.0 } else { self.total_length_tokens as f64 / self.live as f64 }
    }

    pub(super) fn languages(&self) -> Vec<Language> {
        let has_rows = |language: &Language| self.rows_by_language[usize::from(language.to_byte())] > 0;
        Language::ALL.into_iter().filter(has_rows).collect()
    }

    /// The number of each doc after a purge; `None` for dead ones.
    pub(super) fn renumbering(&self) -> Vec<Option<u32>> {
        let mut next = 0;
        (0..self.docs() as u32)
            .map(|doc| {
                self.is_live(doc).then(|| {
                    next += 1;
                    next - 1
                })
            })
            .collect()
    }

    /// Drops the docs without a new number and moves the others together.
    pub(super) fn renumber(&mut self, new_docs: &[Option<u32>]) {
        retain_renumbered(&mut self.rows, new_docs);
        retain_renumbered(&mut self.groups, new_docs);
        retain_renumbered(&mut self.lengths_tokens, new_docs);
        retain_renumbered(&mut self.languages, new_docs);
        self.live_bits.clear();
        self.live_bits.resize(self.live.div_ceil(64), u64::MAX);
        if let Some(last) = self.live_bits.last_mut()
            && !self.live.is_multiple_of(64)
        {
            *last = (1 << (self.live % 64)) - 1;
        }
    }

    pub(super) fn bytes(&self) -> usize {
        [&self.rows, &self.groups, &self.lengths_tokens].into_iter().map(heap_size::of_vec).sum::<usize>()
            + heap_size::of_vec(&self.languages)
            + heap_size::of_vec(&self.live_bits)
    }
}

fn retain_renumbered<T>(values: &mut Vec<T>, new_docs: &[Option<u32>]) {
    let mut docs = new_docs.iter();
    values.retain(|_| docs.next().is_some_and(Option::is_some));
    values.shrink_to(values.len() + values.len() / 4);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_count_live_rows_only() {
        let mut table = RowTable::default();
        for row in 0..130 {
            table.push(row * 3, row, 10, Language::English);
        }
        table.push(1_000, 7, 140, Language::German);
        assert_eq!(table.average_length(), 1_440.0 / 131.0);
        let german = table.doc_of(1_000).unwrap();
        table.kill(german);
        assert_eq!(table.average_length(), 10.0);
        assert_eq!(table.languages(), [Language::English]);
        assert_eq!(table.doc_of(1_000), None);
        assert_eq!(table.doc_of(1), None);
        table.renumber(&table.renumbering());
        assert_eq!((table.docs(), table.live(), table.dead()), (130, 130, 0));
        assert_eq!(table.doc_of(129 * 3), Some(129));
        assert_eq!(table.check_next(1_000), Err(LexicalError::RowNotAscending { row: 1_000, last: 1_000 }));
    }
}
