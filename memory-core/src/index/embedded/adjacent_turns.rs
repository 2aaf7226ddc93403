//! What stands beside a memory that was found: the turns before and after it, the window that they make together, and
//! who is speaking. An answer is often not in the turn whose words match, but in the next.

use std::collections::{HashMap, HashSet};

use super::candidates::PartialCandidate;
use super::columns::Columns;
use super::interner::Symbol;
use super::lexical::Windows;
use super::partition::Partition;
use super::prepared_query::PreparedQuery;
use crate::domain::filter::Field;
use crate::index::{IndexQuery, TurnPosition};

/// A turn with the one before and the one after.
const WINDOW_TURNS: u32 = 3;

impl Partition {
    /// Finds out what stands beside that which was found, and adds the turns that were not found themselves.
    pub(super) fn add_adjacent_turns(&self, prepared: &PreparedQuery<'_>, found: &mut Vec<PartialCandidate>) {
        for found in found.iter_mut() {
            found.adjacent = self.adjacent_turns(prepared, found.ordinal);
        }
        let known: Vec<u32> = found.iter().map(|found| found.ordinal).collect();
        let mut adjacent: Vec<u32> = found.iter().flat_map(|found| found.adjacent).flatten().collect();
        adjacent.sort_unstable();
        adjacent.dedup();
        // What was found is in the order of ordinals.
        adjacent.retain(|ordinal| known.binary_search(ordinal).is_err());
        let stand_beside =
            |ordinal| PartialCandidate::adjacent(ordinal, self.adjacent_turns(prepared, ordinal));
        found.extend(adjacent.into_iter().map(stand_beside));
    }

    /// Writes the rows of what was found and of the turns beside it.
    pub(super) fn push_window(
        &self,
        prepared: &PreparedQuery<'_>,
        found: &PartialCandidate,
        windows: &mut Windows,
    ) {
        self.rows_of(found.ordinal).for_each(|row| windows.push_row(row));
        for ordinal in found.adjacent.into_iter().flatten() {
            self.rows_of(ordinal).filter(|row| prepared.sees(*row)).for_each(|row| windows.push_row(row));
        }
        windows.end(WINDOW_TURNS);
    }

    /// The ordinals of the turns before and after, where there are such turns in view.
    pub(super) fn adjacent_turns(&self, prepared: &PreparedQuery<'_>, ordinal: u32) -> [Option<u32>; 2] {
        let Some(TurnPosition { session, seq }) = self.columns.position(ordinal) else { return [None, None] };
        [seq.checked_sub(1), seq.checked_add(1)].map(|seq| {
            let adjacent = self.columns.turn_at(TurnPosition { session, seq: seq? })?;
            self.rows_of(adjacent).any(|row| prepared.sees(row)).then_some(adjacent)
        })
    }
}

/// Those whom a question names.
pub(super) struct Speakers<'a> {
    columns: &'a Columns,
    /// The question's words.
    query_words: HashSet<String>,
    known: HashMap<Symbol, bool>,
}

impl<'a> Speakers<'a> {
    pub(super) fn of(query: &IndexQuery, columns: &'a Columns) -> Self {
        Self { columns, query_words: words(&query.text).collect(), known: HashMap::new() }
    }

    /// Whether the question names the author of a memory, by the first word of their name: "What did Ann say?" means
    /// Ann Lee's turns.
    pub(super) fn are_named(&mut self, ordinal: u32) -> bool {
        let authors = self.columns.text_column(&Field::Author).unwrap_or_default();
        let Some(author) = authors.get(ordinal as usize) else { return false };
        *self.known.entry(*author).or_insert_with(|| {
            let first = self.columns.interner().text(*author).and_then(|name| words(name).next());
            first.is_some_and(|first| self.query_words.contains(&first))
        })
    }
}

fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
}
