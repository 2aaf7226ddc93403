//! Search for rows that cannot be decoded: every row of every table with encoded values is decoded once. Rows of the
//! index are derived data, so that a repair deletes them and the memories are embedded anew; the rest is only reported.

use std::collections::BTreeSet;

use futures::TryStreamExt;
use half::f16;
use sqlx::Row as _;
use uuid::Uuid;

use super::decoded_tables::{DECODED, Decoded};
use super::load::{ROW_COLUMNS, index_row};
use super::rows::Reader;
use super::{Row, SqlStore, StoreError, unavailable, values_of_wrong_type};
use crate::store::Damage;
use crate::text::TermVector;

/// Code of index rows that cannot be decoded.
const ROW_CODE: &str = "unreadable_row";
const INDEX_ROWS: &str = "index_rows";
/// Columns that the rules between the tables compare with the rows that they count.
const COUNTERS: [(&str, &str); 7] = [
    ("partitions", "last_seq"),
    ("partitions", "session_count"),
    ("partitions", "memory_count"),
    ("sessions", "next_seq"),
    ("sessions", "turn_count"),
    ("scope_partitions", "shared_count"),
    ("scope_partitions", "last_shared_us"),
];
/// Maximum number of memories whose rows are deleted in one pass over the index rows.
const MEMORIES_PER_PASS: usize = 10_000;
/// Tolerance of the squared length of a vector, which is 1 but for the rounding to half precision: that of the scan.
const UNIT_TOLERANCE: f64 = 0.02;

/// Rows that cannot be decoded.
#[derive(Default)]
struct Found {
    count: u64,
    first: Option<StoreError>,
}

impl Found {
    /// Counts a row if it cannot be decoded; returns true then.
    fn note<T>(&mut self, read: Result<T, StoreError>) -> Result<bool, StoreError> {
        match read {
            Ok(_) => Ok(false),
            Err(error @ StoreError::Corrupt { .. }) => {
                self.count += 1;
                self.first.get_or_insert(error);
                Ok(true)
            }
            Err(error) => Err(error),
        }
    }

    fn damage(self, code: &'static str, what: &str, repaired: bool) -> Option<Damage> {
        let first = self.first?;
        let detail = format!("{what} that cannot be decoded and are left out; the first: {first}");
        Some(Damage { code, detail, count: self.count, repaired })
    }
}

impl SqlStore {
    /// Damage of the rows that cannot be decoded, by table. With `repair`, unreadable index rows are deleted.
    pub(super) async fn unreadable(&self, repair: bool) -> Result<Vec<Damage>, StoreError> {
        let (mut damage, mut told) = (Vec::new(), BTreeSet::new());
        for Decoded { code, what, table, columns, from, read } in DECODED {
            let mut found = Found::default();
            let statement = sqlx::AssertSqlSafe(format!("SELECT {columns}{from}"));
            let mut rows = sqlx::query(statement).fetch(&self.readers);
            while let Some(row) = rows.try_next().await.map_err(unavailable)? {
                found.note(read(&row))?;
            }
            if found.count > 0 {
                told.insert(*table);
            }
            damage.extend(found.damage(code, what, false));
        }
        let (found, _) = self.unreadable_rows().await?;
        if repair && found.count > 0 {
            self.drop_unreadable().await?;
        }
        if found.count > 0 {
            told.insert(INDEX_ROWS);
        }
        damage.extend(found.damage(ROW_CODE, "index rows", repair));
        // Values that no decoding above reads, in tables whose rows it could decode.
        for (table, column, count) in values_of_wrong_type(&self.readers).await? {
            if !told.contains(table.as_str()) && !COUNTERS.contains(&(table.as_str(), column.as_str())) {
                let detail = format!("values of {table}.{column} that are not of the type of the column");
                damage.push(Damage { code: "value_of_wrong_type", detail, count, repaired: false });
            }
        }
        Ok(damage)
    }

    /// Deletes the rows of memories with an unreadable row; returns the number of unreadable rows.
    pub(super) async fn drop_unreadable(&self) -> Result<u64, StoreError> {
        let mut count = 0;
        loop {
            let (found, memories) = self.unreadable_rows().await?;
            count += found.count;
            let is_last = memories.len() < MEMORIES_PER_PASS;
            for (partition, embedder, memory) in memories {
                sqlx::query(
                    "DELETE FROM index_rows WHERE partition_id = $1 AND embedder_id = $2 AND memory_id = $3",
                )
                .bind(partition)
                .bind(embedder)
                .bind(memory)
                .execute(&self.writer)
                .await
                .map_err(unavailable)?;
            }
            if is_last {
                return Ok(count);
            }
        }
    }

    /// Unreadable index rows, with the first memories that have one: partition, embedder and id.
    async fn unreadable_rows(&self) -> Result<(Found, BTreeSet<(i64, i64, Uuid)>), StoreError> {
        let statement = sqlx::AssertSqlSafe(format!(
            "SELECT {ROW_COLUMNS}, partition_id, embedder_id,
                 (SELECT dimension FROM row_recipes WHERE row_recipes.id = index_rows.embedder_id)
             FROM index_rows"
        ));
        let (mut found, mut memories) = (Found::default(), BTreeSet::new());
        let mut rows = sqlx::query(statement).fetch(&self.readers);
        while let Some(row) = rows.try_next().await.map_err(unavailable)? {
            if found.note(check_index_row(&row))?
                && memories.len() < MEMORIES_PER_PASS
                && let (Ok(partition), Ok(embedder), Ok(memory)) =
                    (row.try_get(7), row.try_get(8), row.try_get(0))
            {
                memories.insert((partition, embedder, memory));
            }
        }
        Ok((found, memories))
    }
}

/// Decodes an index row with its terms, and checks its vector as the scan does.
fn check_index_row(row: &Row) -> Result<(), StoreError> {
    let at = Reader { row, table: "index_rows" };
    let dimension: Option<i64> = at.get(9, "dimension")?;
    // Rows of an unknown embedder are never read.
    let Some(dimension) = dimension else { return Ok(()) };
    let (_, decoded) = index_row(row)?;
    TermVector::decode(&decoded.terms).map_err(|error| at.corrupt("terms", &error.to_string()))?;
    match decoded.vector {
        Some(vector) if i64::try_from(vector.len()).ok() != Some(dimension) => {
            Err(at.corrupt("vector", "has another length"))
        }
        Some(vector) if !is_unit(&vector) => Err(at.corrupt("vector", "is not of length 1")),
        _ => Ok(()),
    }
}

fn is_unit(vector: &[f16]) -> bool {
    let squared_norm: f64 = vector.iter().map(|value| value.to_f64() * value.to_f64()).sum();
    (squared_norm - 1.0).abs() <= UNIT_TOLERANCE // false for a NaN
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use super::*;

    /// Tables of earlier versions, which their migrations have emptied.
    const EMPTIED: [&str; 4] = ["embedders", "jobs", "idempotent_requests", "keyed_requests"];

    #[test]
    fn every_table_of_the_schema_is_decoded_by_a_check() {
        let migrations = concat!(env!("CARGO_MANIFEST_DIR"), "/../migrations/sqlite");
        let mut tables = BTreeSet::new();
        for file in std::fs::read_dir(migrations).expect("migrations").flatten() {
            let text = std::fs::read_to_string(file.path()).expect("a migration");
            for line in text.lines() {
                if let Some(rest) = line.strip_prefix("CREATE TABLE ") {
                    tables.insert(rest.split([' ', '(']).next().expect("a name").to_owned());
                }
                if let Some(rest) = line.strip_prefix("DROP TABLE ") {
                    tables.remove(rest.trim_end_matches(';'));
                }
            }
        }
        let decoded: BTreeSet<String> = DECODED
            .iter()
            .map(|one| one.table)
            .chain([INDEX_ROWS])
            .chain(EMPTIED)
            .map(ToOwned::to_owned)
            .collect();
        assert_eq!(tables, decoded, "a new table gets an entry in `decoded_tables`");
    }
}
