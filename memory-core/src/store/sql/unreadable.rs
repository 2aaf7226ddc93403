//! Search for rows that cannot be decoded: every row of every table with encoded values is decoded once. Rows of the
//! index are derived data, so that a repair deletes them and the memories are embedded anew; the rest is only reported.

use std::collections::BTreeSet;

use futures::TryStreamExt;
use half::f16;
use sqlx::Row as _;
use uuid::Uuid;

use super::idempotency::created_from_json;
use super::jobs::{JOB_COLUMNS, read_job};
use super::load::{ROW_COLUMNS, index_row};
use super::read::owner_entry;
use super::rows::{self, Reader, SESSION_COLUMNS, TURN_COLUMNS, VERSION_COLUMNS, memory_columns};
use super::{Row, SqlStore, StoreError, unavailable};
use crate::store::Damage;
use crate::text::TermVector;

/// Code of index rows that cannot be decoded.
const ROW_CODE: &str = "unreadable_row";
/// Maximum number of memories whose rows are deleted in one pass over the index rows.
const MEMORIES_PER_PASS: usize = 10_000;
/// Tolerance of the squared length of a vector, which is 1 but for the rounding to half precision: that of the scan.
const UNIT_TOLERANCE: f64 = 0.02;

/// Rows of one table, with their decoding.
struct Decoded {
    code: &'static str,
    what: &'static str,
    columns: &'static str,
    from: &'static str,
    read: fn(&Row) -> Result<(), StoreError>,
}

/// Tables apart from the index rows.
const DECODED: &[Decoded] = &[
    Decoded {
        code: "unreadable_memory",
        what: "memories",
        columns: concat!(memory_columns!("COALESCE(m.text, t.text)")),
        from: "",
        read: |row| rows::memory(row).map(drop),
    },
    Decoded {
        code: "unreadable_version",
        what: "earlier versions of memories",
        columns: VERSION_COLUMNS,
        from: " FROM memory_versions v",
        read: rows::check_version,
    },
    Decoded {
        code: "unreadable_turn",
        what: "turns",
        columns: TURN_COLUMNS,
        from: " FROM turns",
        read: |row| rows::turn(row).map(drop),
    },
    Decoded {
        code: "unreadable_session",
        what: "sessions",
        columns: SESSION_COLUMNS,
        from: " FROM sessions",
        read: |row| rows::session(row).map(drop),
    },
    Decoded {
        code: "unreadable_owner",
        what: "owners",
        columns: "id, owner_kind, owner_id, memory_count, created_us",
        from: " FROM partitions",
        read: |row| owner_entry(row).map(drop),
    },
    Decoded {
        code: "unreadable_derivation",
        what: "derivations",
        columns: "id, id, maker, model, prompt, job_id, made_us",
        from: " FROM derivations",
        read: |row| {
            tuple::<(Uuid, Uuid, String, Option<String>, Option<String>, Option<Uuid>, i64)>(
                row,
                "derivations",
            )
        },
    },
    Decoded {
        code: "unreadable_recall",
        what: "entries of the access log",
        columns: "id, recalled_us, hits",
        from: " FROM recalls",
        read: |row| tuple::<(Uuid, i64, Vec<u8>)>(row, "recalls"),
    },
    Decoded {
        code: "unreadable_job",
        what: "jobs",
        columns: JOB_COLUMNS,
        from: " FROM durable_jobs",
        read: |row| read_job(row).map(drop),
    },
    Decoded {
        code: "unreadable_usage",
        what: "entries of the account of model calls",
        columns: "day, task, model, calls, refused_replies, failures, prompt_tokens, reply_tokens, cost_micros",
        from: " FROM model_usage",
        read: |row| tuple::<(i64, String, String, i64, i64, i64, i64, i64, i64)>(row, "model_usage"),
    },
    Decoded {
        code: "unreadable_request",
        what: "records of idempotency keys",
        columns: "made",
        from: " FROM request_records",
        read: |row| {
            let at = Reader { row, table: "request_records" };
            let made = created_from_json(at.get(0, "made")?);
            made.map(drop).ok_or_else(|| at.corrupt("made", "is no list of ids"))
        },
    },
];

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
        let mut damage = Vec::new();
        for Decoded { code, what, columns, from, read } in DECODED {
            let mut found = Found::default();
            let statement = sqlx::AssertSqlSafe(format!("SELECT {columns}{from}"));
            let mut rows = sqlx::query(statement).fetch(&self.readers);
            while let Some(row) = rows.try_next().await.map_err(unavailable)? {
                found.note(read(&row))?;
            }
            damage.extend(found.damage(code, what, false));
        }
        let (found, _) = self.unreadable_rows().await?;
        if repair && found.count > 0 {
            self.drop_unreadable().await?;
        }
        damage.extend(found.damage(ROW_CODE, "index rows", repair));
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

fn tuple<T>(row: &Row, table: &'static str) -> Result<(), StoreError>
where
    T: for<'r> sqlx::FromRow<'r, Row>,
{
    let read = T::from_row(row).map(drop);
    read.map_err(|error| Reader { row, table }.corrupt("a column", &error.to_string()))
}
