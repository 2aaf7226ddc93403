//! Sentence windows: lists of rows that are scored as one text, since query terms are often spread over adjacent turns
//! ("Have you been to Lisbon?", "Yes, in May"). Every row is read once, however many windows it is in.

use std::ops::Range;

use super::LexicalIndex;
use super::weighted_terms::WeightedTerms;

/// The windows to score: lists of rows.
#[derive(Debug, Default)]
pub struct Windows {
    rows: Vec<u32>,
    /// The end of each window in `rows`, and its number of turns when complete.
    ends: Vec<(usize, u32)>,
}

impl Windows {
    /// One window per row.
    pub fn single(rows: &[u32]) -> Self {
        Self { rows: rows.to_vec(), ends: (1..=rows.len()).map(|end| (end, 1)).collect() }
    }

    /// Appends a row to the current window.
    pub fn push_row(&mut self, row: u32) {
        self.rows.push(row);
    }

    /// Ends the current window. Its length is divided by `turns`, at least 1, to be comparable with that of one row.
    pub fn end(&mut self, turns: u32) {
        self.ends.push((self.rows.len(), turns.max(1)));
    }

    fn iter(&self) -> impl Iterator<Item = (&[u32], u32)> {
        let starts = std::iter::once(0).chain(self.ends.iter().map(|(end, _)| *end));
        let rows = |start, end| self.rows.get(start..end).unwrap_or_default();
        starts.zip(&self.ends).map(move |(start, (end, turns))| (rows(start, *end), *turns))
    }
}

/// Writes the score of each window to `out`; 0 for one without a query term.
pub(super) fn score(index: &LexicalIndex, query: &mut WeightedTerms, windows: &Windows, out: &mut Vec<f32>) {
    let matches = RowMatches::read(index, query, &windows.rows);
    let mut counts = vec![0; query.terms.len()];
    out.extend(windows.iter().map(|(rows, turns)| {
        let (mut length_tokens, mut has_terms) = (0_u32, false);
        for row in rows {
            let (terms, length) = matches.of(*row);
            length_tokens = length_tokens.saturating_add(length);
            has_terms |= !terms.is_empty();
            for &(term, count) in terms {
                counts[term] += u32::from(count);
            }
        }
        if has_terms { query.score_counts(&mut counts, length_tokens / turns) } else { 0.0 }
    }));
}

/// The query terms of some rows, with their counts.
struct RowMatches {
    /// Ascending.
    rows: Vec<u32>,
    /// By position in `rows`: the range of its terms in `counts`, and its length in tokens.
    ranges: Vec<(Range<usize>, u32)>,
    /// Positions of query terms with their counts.
    counts: Vec<(usize, u16)>,
}

impl RowMatches {
    fn read(index: &LexicalIndex, query: &WeightedTerms, rows: &[u32]) -> Self {
        let mut rows = rows.to_vec();
        rows.sort_unstable();
        rows.dedup();
        let mut counts = Vec::with_capacity(4 * rows.len());
        let ranges = rows.iter().map(|row| {
            let start = counts.len();
            let Some(doc) = index.rows.doc_of(*row) else { return (start..start, 0) };
            query.for_each_term_of(index, doc, |term, count| counts.push((term, count)));
            (start..counts.len(), index.rows.lengths_tokens()[doc as usize])
        });
        Self { ranges: ranges.collect(), rows, counts }
    }

    fn of(&self, row: u32) -> (&[(usize, u16)], u32) {
        let known = self.rows.binary_search(&row).ok().and_then(|at| self.ranges.get(at));
        known.map_or((&[], 0), |(terms, length)| (&self.counts[terms.clone()], *length))
    }
}
