//! Values of another type than their column's. SQLite stores a value of any type in any column, so that a damaged one is
//! found by its storage class. The columns are those of the schema: a new table or column is looked at without being
//! named anywhere.

use sqlx::{AssertSqlSafe, Row as _};

use super::{Db, StoreError, unavailable};

const TABLES: &str = "SELECT name FROM sqlite_schema
     WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE '\\_%' ESCAPE '\\' ORDER BY name";
const COLUMNS: &str = "SELECT name, type, \"notnull\", pk FROM pragma_table_info($1) ORDER BY cid";
/// Length of an id, in bytes.
const ID_BYTES: &str = "16";

/// Table, column and number of values, for each column with values of another type than its own.
pub(super) async fn values_of_wrong_type(
    readers: &sqlx::Pool<Db>,
) -> Result<Vec<(String, String, u64)>, StoreError> {
    let tables: Vec<String> = sqlx::query_scalar(TABLES).fetch_all(readers).await.map_err(unavailable)?;
    let mut found = Vec::new();
    for table in tables {
        let columns: Vec<(String, String, bool, bool)> =
            sqlx::query_as(COLUMNS).bind(&table).fetch_all(readers).await.map_err(unavailable)?;
        // One pass over the table for all of its columns.
        let sums: Vec<String> =
            columns.iter().map(|column| format!("COALESCE(SUM(NOT ({})), 0)", condition(column))).collect();
        let statement = format!("SELECT {} FROM \"{table}\"", sums.join(", "));
        let row = sqlx::query(AssertSqlSafe(statement)).fetch_one(readers).await.map_err(unavailable)?;
        for (index, (column, ..)) in columns.into_iter().enumerate() {
            let count: i64 = row.try_get(index).map_err(unavailable)?;
            if count != 0 {
                found.push((table.clone(), column, count.unsigned_abs()));
            }
        }
    }
    Ok(found)
}

/// Condition for a value of the type of its column.
fn condition((name, kind, is_required, is_key): &(String, String, bool, bool)) -> String {
    let column = format!("\"{name}\"");
    let of_type = match kind.as_str() {
        "BLOB" if name == "id" || name.ends_with("_id") => {
            format!("typeof({column}) = 'blob' AND length({column}) = {ID_BYTES}")
        }
        "BLOB" => format!("typeof({column}) = 'blob'"),
        "TEXT" => format!("typeof({column}) = 'text'"),
        "DOUBLE PRECISION" => format!("typeof({column}) IN ('real', 'integer')"),
        _ => format!("typeof({column}) = 'integer'"),
    };
    if *is_required || *is_key { of_type } else { format!("{column} IS NULL OR ({of_type})") }
}
