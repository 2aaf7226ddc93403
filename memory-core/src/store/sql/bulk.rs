//! Statements over many rows: multi-row inserts, and lists of ids.
//!
//! Rows are written in runs of a power of two up to [`MAX_RUN`], so that a table has at most seven different
//! statements: all of them stay prepared, whatever the sizes of the sets.

use sqlx::QueryBuilder;
use sqlx::query_builder::Separated;
use uuid::Uuid;

use super::{Connection, Db, StoreError, unavailable};

/// Maximum length of a run. 64 rows of the widest table are 2,240 parameters; SQLite allows 32,766.
const MAX_RUN: usize = 64;

/// Maximum number of ids per statement: a power of two, so that few statements stay prepared.
pub(super) const IDS_PER_STATEMENT: usize = 512;

/// Binds the values of one row, in the order of the columns in `head`.
pub(super) type Bind<'a, T> = &'a (dyn Fn(&mut Separated<'_, Db, &'static str>, &T) + Sync);

/// Inserts `rows` with `head`, which is everything before `VALUES`.
pub(super) async fn insert<T: Sync>(
    connection: &mut Connection,
    head: &'static str,
    rows: &[T],
    bind: Bind<'_, T>,
) -> Result<(), StoreError> {
    insert_runs(connection, (head, ""), rows, bind).await
}

/// Like [`insert`], but skips rows that exist already.
pub(super) async fn insert_missing<T: Sync>(
    connection: &mut Connection,
    head: &'static str,
    rows: &[T],
    bind: Bind<'_, T>,
) -> Result<(), StoreError> {
    insert_runs(connection, (head, " ON CONFLICT DO NOTHING"), rows, bind).await
}

/// Like [`insert`], with an end of the statement after the rows.
pub(super) async fn insert_runs<T: Sync>(
    connection: &mut Connection,
    (head, tail): (&'static str, &'static str),
    rows: &[T],
    bind: Bind<'_, T>,
) -> Result<(), StoreError> {
    let mut rest = rows;
    while !rest.is_empty() {
        let (run, later) = rest.split_at(run_length(rest.len()));
        let mut statement = QueryBuilder::<Db>::new(head);
        statement.push_values(run, |mut values, row| bind(&mut values, row)).push(tail);
        statement.build().execute(&mut *connection).await.map_err(unavailable)?;
        rest = later;
    }
    Ok(())
}

/// Returns the largest power of two that is at most `rows` and [`MAX_RUN`].
pub(super) fn run_length(rows: usize) -> usize {
    let capped = rows.clamp(1, MAX_RUN);
    1 << capped.ilog2()
}

/// Pushes `ids)`, padded with the nil id to a power of two: no row has the nil id.
pub(super) fn push_ids(statement: &mut QueryBuilder<Db>, ids: impl ExactSizeIterator<Item = Uuid>) {
    let filler = ids.len().next_power_of_two() - ids.len();
    let mut list = statement.separated(", ");
    for id in ids.chain(std::iter::repeat_n(Uuid::nil(), filler)) {
        list.push_bind(id);
    }
    list.push_unseparated(")");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_powers_of_two() {
        let runs: Vec<usize> = [1, 2, 3, 5, 63, 64, 65, 1_000].map(run_length).to_vec();
        assert_eq!(runs, [1, 2, 2, 4, 32, 64, 64, 64]);
    }

    #[test]
    fn id_lists_fill_up_to_powers_of_two() {
        for (count, expected) in [(1, 1), (3, 4), (5, 8), (8, 8)] {
            let mut statement = QueryBuilder::<Db>::new("(");
            push_ids(&mut statement, vec![Uuid::nil(); count].into_iter());
            assert_eq!(statement.sql().as_str().matches(['?', '$']).count(), expected);
        }
    }
}
