//! Adjacent turns of a candidate: the turns right before and after it, the sentence window of all three, and the speaker.
//! An answer is often not in the turn whose terms match, but in the next one.

use std::collections::HashMap;

use super::candidates::PartialCandidate;
use super::columns::Columns;
use super::interner::Symbol;
use super::lexical::Windows;
use super::partition::Partition;
use super::prepared_query::PreparedQuery;
use crate::domain::filter::Field;
use crate::index::{IndexQuery, TurnPosition};
use crate::text::NamedPeople;

/// A turn with the one before and the one after.
const WINDOW_TURNS: u32 = 3;

impl Partition {
    /// Sets the adjacent turns of each retrieved candidate, and adds those that were not retrieved themselves. The
    /// candidates come in the order of ordinals.
    pub(super) fn add_adjacent_turns(
        &self,
        prepared: &PreparedQuery<'_>,
        candidates: &mut Vec<PartialCandidate>,
    ) {
        for candidate in candidates.iter_mut() {
            candidate.adjacent = self.adjacent_turns(prepared, candidate.ordinal);
        }
        let retrieved: Vec<u32> = candidates.iter().map(|candidate| candidate.ordinal).collect();
        let mut adjacent: Vec<u32> =
            candidates.iter().flat_map(|candidate| candidate.adjacent).flatten().collect();
        adjacent.sort_unstable();
        adjacent.dedup();
        adjacent.retain(|ordinal| retrieved.binary_search(ordinal).is_err());
        let partial = |ordinal| PartialCandidate::adjacent(ordinal, self.adjacent_turns(prepared, ordinal));
        candidates.extend(adjacent.into_iter().map(partial));
    }

    /// Appends a candidate's window: its rows and the visible rows of its adjacent turns.
    pub(super) fn push_window(
        &self,
        prepared: &PreparedQuery<'_>,
        candidate: &PartialCandidate,
        windows: &mut Windows,
    ) {
        self.rows_of(candidate.ordinal).for_each(|row| windows.push_row(row));
        for ordinal in candidate.adjacent.into_iter().flatten() {
            self.rows_of(ordinal).filter(|row| prepared.sees(*row)).for_each(|row| windows.push_row(row));
        }
        windows.end(WINDOW_TURNS);
    }

    /// The ordinals of the turns right before and after; none where there is no visible turn.
    pub(super) fn adjacent_turns(&self, prepared: &PreparedQuery<'_>, ordinal: u32) -> [Option<u32>; 2] {
        let Some(TurnPosition { session, seq }) = self.columns.position(ordinal) else { return [None, None] };
        [seq.checked_sub(1), seq.checked_add(1)].map(|seq| {
            let adjacent = self.columns.turn_at(TurnPosition { session, seq: seq? })?;
            self.rows_of(adjacent).any(|row| prepared.sees(row)).then_some(adjacent)
        })
    }
}

/// Authors that a query names.
pub(super) struct Speakers<'a> {
    columns: &'a Columns,
    named: NamedPeople,
    known: HashMap<Symbol, bool>,
}

impl<'a> Speakers<'a> {
    pub(super) fn of(query: &IndexQuery, columns: &'a Columns) -> Self {
        Self { columns, named: NamedPeople::in_text(&query.text), known: HashMap::new() }
    }

    /// True if the query names the author of the memory.
    pub(super) fn is_named(&mut self, ordinal: u32) -> bool {
        let authors = self.columns.text_column(&Field::Author).unwrap_or_default();
        let Some(author) = authors.get(ordinal as usize) else { return false };
        *self
            .known
            .entry(*author)
            .or_insert_with(|| self.columns.interner().text(*author).is_some_and(|name| self.named.has(name)))
    }
}
