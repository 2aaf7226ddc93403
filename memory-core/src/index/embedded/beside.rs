//! What stands beside a memory that was found: the turns before and after it, the passage that they make together, and
//! who is speaking. An answer is often not in the turn whose words match, but in the next.

use std::collections::{HashMap, HashSet};

use super::columns::Columns;
use super::lexical::Passages;
use super::partition::Partition;
use super::searching::{Asked, Found};
use super::symbols::Symbol;
use crate::domain::filter::Field;
use crate::index::{Place, Question};

/// A turn with the one before and the one after.
const PASSAGE_TURNS: u32 = 3;

impl Partition {
    /// Finds out what stands beside that which was found, and adds the turns that were not found themselves.
    pub(super) fn add_turns_beside(&self, asked: &Asked<'_>, found: &mut Vec<Found>) {
        for found in found.iter_mut() {
            found.beside = self.turns_beside(asked, found.slot);
        }
        let known: Vec<u32> = found.iter().map(|found| found.slot).collect();
        let mut beside: Vec<u32> = found.iter().flat_map(|found| found.beside).flatten().collect();
        beside.sort_unstable();
        beside.dedup();
        // What was found is in the order of slots.
        beside.retain(|slot| known.binary_search(slot).is_err());
        let stand_beside = |slot| Found::standing_beside(slot, self.turns_beside(asked, slot));
        found.extend(beside.into_iter().map(stand_beside));
    }

    /// Writes the rows of what was found and of the turns beside it.
    pub(super) fn write_passage(&self, asked: &Asked<'_>, found: &Found, passages: &mut Passages) {
        self.rows_of(found.slot).for_each(|row| passages.push_row(row));
        for slot in found.beside.into_iter().flatten() {
            self.rows_of(slot).filter(|row| asked.sees(*row)).for_each(|row| passages.push_row(row));
        }
        passages.end(PASSAGE_TURNS);
    }

    /// The slots of the turns before and after, where there are such turns in view.
    pub(super) fn turns_beside(&self, asked: &Asked<'_>, slot: u32) -> [Option<u32>; 2] {
        let Some(Place { session, seq }) = self.columns.place(slot) else { return [None, None] };
        [seq.checked_sub(1), seq.checked_add(1)].map(|seq| {
            let beside = self.columns.at_place(Place { session, seq: seq? })?;
            self.rows_of(beside).any(|row| asked.sees(row)).then_some(beside)
        })
    }
}

/// Those whom a question names.
pub(super) struct Speakers<'a> {
    columns: &'a Columns,
    /// The question's words.
    asked: HashSet<String>,
    known: HashMap<Symbol, bool>,
}

impl<'a> Speakers<'a> {
    pub(super) fn of(question: &Question, columns: &'a Columns) -> Self {
        Self { columns, asked: words(&question.text).collect(), known: HashMap::new() }
    }

    /// Whether the question names the author of a memory, by the first word of their name: "What did Ann say?" means
    /// Ann Lee's turns.
    pub(super) fn are_named(&mut self, slot: u32) -> bool {
        let authors = self.columns.text_column(&Field::Author).unwrap_or_default();
        let Some(author) = authors.get(slot as usize) else { return false };
        *self.known.entry(*author).or_insert_with(|| {
            let first = self.columns.symbols().text(*author).and_then(|name| words(name).next());
            first.is_some_and(|first| self.asked.contains(&first))
        })
    }
}

fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
}
