//! Windows: rows that stand beside each other, scored as one text. A question's words are often spread over what was
//! said in turn ("Have you been to Lisbon?", "Yes, in May").
//!
//! Every row is read once, however many windows it is in.

use std::ops::Range;

use super::LexicalIndex;
use super::weighted_terms::WeightedTerms;

/// What is to be scored: lists of rows.
#[derive(Debug, Default)]
pub struct Windows {
    rows: Vec<u32>,
    /// Where each ends, and of how many turns it is if it is whole.
    ends: Vec<(usize, u32)>,
}

impl Windows {
    /// Every row alone.
    pub fn single(rows: &[u32]) -> Self {
        Self { rows: rows.to_vec(), ends: (1..=rows.len()).map(|end| (end, 1)).collect() }
    }

    /// Adds a row to the window that is being written.
    pub fn push_row(&mut self, row: u32) {
        self.rows.push(row);
    }

    /// The window is written; the next one begins. Its length is divided by `turns`, at least 1, to be compared with
    /// that of a row.
    pub fn end(&mut self, turns: u32) {
        self.ends.push((self.rows.len(), turns.max(1)));
    }

    fn iter(&self) -> impl Iterator<Item = (&[u32], u32)> {
        let starts = std::iter::once(0).chain(self.ends.iter().map(|(end, _)| *end));
        let rows = |start, end| self.rows.get(start..end).unwrap_or_default();
        starts.zip(&self.ends).map(move |(start, (end, turns))| (rows(start, *end), *turns))
    }
}

/// Writes the score of each window to `out`; 0 for one that has none of the terms.
pub(super) fn score(index: &LexicalIndex, query: &mut WeightedTerms, windows: &Windows, out: &mut Vec<f32>) {
    let read = Rows::read(index, query, &windows.rows);
    let mut counts = vec![0; query.terms.len()];
    out.extend(windows.iter().map(|(rows, turns)| {
        let (mut length_tokens, mut has_terms) = (0_u32, false);
        for row in rows {
            let (terms, length) = read.row(*row);
            length_tokens = length_tokens.saturating_add(length);
            has_terms |= !terms.is_empty();
            for &(term, count) in terms {
                counts[term] += u32::from(count);
            }
        }
        if has_terms { query.score_counts(&mut counts, length_tokens / turns) } else { 0.0 }
    }));
}

/// Which of the question's terms some rows have.
struct Rows {
    /// Ascending.
    rows: Vec<u32>,
    /// By place in `rows`: where its terms are in `found`, and its length in tokens.
    read: Vec<(Range<usize>, u32)>,
    /// Places of terms, with how often the row has them.
    found: Vec<(usize, u16)>,
}

impl Rows {
    fn read(index: &LexicalIndex, query: &WeightedTerms, rows: &[u32]) -> Self {
        let mut rows = rows.to_vec();
        rows.sort_unstable();
        rows.dedup();
        let mut found = Vec::with_capacity(4 * rows.len());
        let read = rows.iter().map(|row| {
            let start = found.len();
            let Some(doc) = index.rows.doc_of(*row) else { return (start..start, 0) };
            query.for_each_term_of(index, doc, |term, count| found.push((term, count)));
            (start..found.len(), index.rows.lengths_tokens()[doc as usize])
        });
        Self { read: read.collect(), rows, found }
    }

    fn row(&self, row: u32) -> (&[(usize, u16)], u32) {
        let read = self.rows.binary_search(&row).ok().and_then(|at| self.read.get(at));
        read.map_or((&[], 0), |(terms, length)| (&self.found[terms.clone()], *length))
    }
}
