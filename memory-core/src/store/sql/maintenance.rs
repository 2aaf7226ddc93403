//! Maintenance of the store: checks, backups, settings.

use std::path::Path;

use async_trait::async_trait;
use sqlx::Row as _;

use super::idempotency::forget_old_records;
use super::integrity::RULES;
use super::{Db, SqlStore, StoreError, dialect, integrity_complaints, unavailable};
use crate::domain::time::Timestamp;
use crate::store::{Damage, Maintenance, PurgeDebt, PurgeWait};

/// Number of expired idempotency records that one transaction deletes, so that no other write waits for long.
const RECORDS_PER_TRANSACTION: u32 = 512;

#[async_trait]
impl Maintenance for SqlStore {
    async fn check(&self, repair: bool) -> Result<Vec<Damage>, StoreError> {
        let mut found = Vec::new();
        let complaints = integrity_complaints(&self.readers).await?;
        let is_damaged = !complaints.is_empty();
        if is_damaged {
            let count = complaints.len() as u64;
            let detail = format!("the database is damaged: {}; {WHAT_TO_DO}", complaints.join("; "));
            found.push(Damage { code: "database", detail, count, repaired: false });
        }
        match self.check_rows(repair && !is_damaged, &mut found).await {
            // It is told already, and the rest of the check cannot be done.
            Err(StoreError::Damaged(_)) if is_damaged => {}
            checked => checked?,
        }
        Ok(found)
    }

    async fn copy_to(&self, file: &Path) -> Result<(), StoreError> {
        self.copying.copy_to(&self.writer, &self.purging, file).await
    }

    fn purge_debt(&self) -> PurgeDebt {
        self.purging.debt()
    }

    async fn purge_due(&self) {
        self.purging.due(&self.writer).await;
    }

    async fn purge(&self, wait: PurgeWait) -> Result<PurgeDebt, StoreError> {
        self.purging.purge(&self.writer, wait).await
    }

    async fn forget_requests(&self, before: Timestamp) -> Result<u64, StoreError> {
        let mut forgotten = 0;
        loop {
            let mut transaction = self.writer.begin_with(dialect::BEGIN_WRITE).await.map_err(unavailable)?;
            let some =
                forget_old_records(&mut transaction, before.as_micros(), RECORDS_PER_TRANSACTION).await?;
            transaction.commit().await.map_err(unavailable)?;
            forgotten += some;
            if some < u64::from(RECORDS_PER_TRANSACTION) {
                return Ok(forgotten);
            }
        }
    }

    async fn setting(&self, name: &str) -> Result<Option<String>, StoreError> {
        read_setting(&self.readers, name).await
    }

    async fn put_setting(&self, name: &str, value: &str) -> Result<(), StoreError> {
        put_setting(&self.writer, name, value).await
    }
}

/// Advice on a damaged database.
const WHAT_TO_DO: &str = "restore a backup (`engrain restore FILE --force`), or keep what can still be read \
     (`engrain export`)";

impl SqlStore {
    /// Checks the rows: whether they can be decoded, and the rules between the tables.
    async fn check_rows(&self, repair: bool, found: &mut Vec<Damage>) -> Result<(), StoreError> {
        // Before the rules: what is left without rows is then found by `missing_row`.
        found.extend(self.unreadable(repair).await?);
        for rule in RULES {
            let count: i64 =
                sqlx::query_scalar(rule.count).fetch_one(&self.readers).await.map_err(unavailable)?;
            if count == 0 {
                continue;
            }
            let repaired = match rule.repair {
                Some(statement) if repair => {
                    sqlx::query(statement).execute(&self.writer).await.map_err(unavailable)?;
                    true
                }
                _ => false,
            };
            let detail = rule.detail.to_owned();
            found.push(Damage { code: rule.code, detail, count: count.unsigned_abs(), repaired });
        }
        Ok(())
    }
}

/// Reads a setting, inside or outside a transaction. Errors: [`StoreError::Corrupt`] with its name if it is no text.
pub(super) async fn read_setting(
    on: impl sqlx::Executor<'_, Database = Db>,
    name: &str,
) -> Result<Option<String>, StoreError> {
    let row = sqlx::query("SELECT value FROM settings WHERE name = $1")
        .bind(name)
        .fetch_optional(on)
        .await
        .map_err(unavailable)?;
    let damaged = |_| StoreError::Corrupt { table: "settings", column: "value", row: name.to_owned() };
    row.map(|row| row.try_get(0).map_err(damaged)).transpose()
}

/// Writes a setting, inside or outside a transaction.
pub(super) async fn put_setting(
    on: impl sqlx::Executor<'_, Database = Db>,
    name: &str,
    value: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO settings (name, value) VALUES ($1, $2)
         ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    )
    .bind(name)
    .bind(value)
    .execute(on)
    .await
    .map_err(unavailable)?;
    Ok(())
}
