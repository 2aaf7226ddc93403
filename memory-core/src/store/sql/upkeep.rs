//! Looking after the store: checks, copies, settings.

use std::path::Path;

use async_trait::async_trait;

use super::{SqlStore, StoreError, dialect, unavailable};
use crate::domain::time::Timestamp;
use crate::store::{Damage, Upkeep};

/// A rule that the tables keep: how to count what breaks it, and how to mend that without loss.
struct Rule {
    code: &'static str,
    detail: &'static str,
    count: &'static str,
    repair: Option<&'static str>,
}

const RULES: &[Rule] = &[
    Rule {
        code: "orphan_row",
        detail: "index rows of memories that are not there",
        count: "SELECT count(*) FROM index_rows r WHERE NOT EXISTS
                    (SELECT 1 FROM memories m WHERE m.partition_id = r.partition_id AND m.id = r.memory_id)",
        repair: Some(
            "DELETE FROM index_rows WHERE NOT EXISTS (SELECT 1 FROM memories m
                 WHERE m.partition_id = index_rows.partition_id AND m.id = index_rows.memory_id)",
        ),
    },
    Rule {
        code: "missing_row",
        detail: "memories without a row for the embedder in use: `engrain reindex` makes them",
        count: "SELECT count(*) FROM memories m WHERE NOT EXISTS (SELECT 1 FROM index_rows r
                    WHERE r.partition_id = m.partition_id AND r.memory_id = m.id AND r.embedder_id =
                        (SELECT CAST(value AS BIGINT) FROM settings WHERE name = 'embedder_in_use'))",
        repair: None,
    },
    Rule {
        code: "missing_turn",
        detail: "memories of turns that are not there",
        count: "SELECT count(*) FROM memories m WHERE m.turn_id IS NOT NULL AND NOT EXISTS
                    (SELECT 1 FROM turns t WHERE t.partition_id = m.partition_id AND t.id = m.turn_id)",
        repair: None,
    },
    Rule {
        code: "unremembered_turn",
        detail: "turns without a memory of them",
        count: "SELECT count(*) FROM turns t WHERE NOT EXISTS
                    (SELECT 1 FROM memories m WHERE m.partition_id = t.partition_id AND m.turn_id = t.id)",
        repair: None,
    },
    Rule {
        code: "missing_session",
        detail: "turns of sessions that are not there",
        count: "SELECT count(*) FROM turns t WHERE NOT EXISTS (SELECT 1 FROM sessions s WHERE s.id = t.session_id)",
        repair: None,
    },
    Rule {
        code: "gap_in_log",
        detail: "partitions whose change log has gaps or does not end at the partition's number",
        count: "SELECT count(*) FROM partitions p WHERE p.last_seq <>
                    (SELECT count(*) FROM changes c WHERE c.partition_id = p.id)
                    OR p.last_seq <> COALESCE((SELECT max(c.seq) FROM changes c WHERE c.partition_id = p.id), 0)",
        repair: None,
    },
    Rule {
        code: "wrong_count",
        detail: "partitions that count their memories wrongly",
        count: "SELECT count(*) FROM partitions p WHERE p.memory_count <>
                    (SELECT count(*) FROM memories m WHERE m.partition_id = p.id)",
        repair: Some(
            "UPDATE partitions SET memory_count =
                 (SELECT count(*) FROM memories m WHERE m.partition_id = partitions.id)",
        ),
    },
    Rule {
        code: "orphan_derivation",
        detail: "derivations of memories that are not there",
        count: "SELECT count(*) FROM derivations d
                WHERE NOT EXISTS (SELECT 1 FROM memories m WHERE m.derivation_id = d.id)
                    AND NOT EXISTS (SELECT 1 FROM memory_versions v
                        WHERE v.partition_id = d.partition_id AND v.derivation_id = d.id)",
        repair: Some(
            "DELETE FROM derivations
             WHERE NOT EXISTS (SELECT 1 FROM memories m WHERE m.derivation_id = derivations.id)
                 AND NOT EXISTS (SELECT 1 FROM memory_versions v
                     WHERE v.partition_id = derivations.partition_id AND v.derivation_id = derivations.id)",
        ),
    },
];

#[async_trait]
impl Upkeep for SqlStore {
    async fn check(&self, repair: bool) -> Result<Vec<Damage>, StoreError> {
        let mut found = Vec::new();
        let complaints: Vec<String> = sqlx::query_scalar(dialect::INTEGRITY_CHECK)
            .fetch_all(&self.readers)
            .await
            .map_err(unavailable)?;
        if complaints != ["ok"] {
            let count = complaints.len() as u64;
            found.push(Damage { code: "database", detail: complaints.join("; "), count, repaired: false });
        }
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
        Ok(found)
    }

    async fn copy_to(&self, file: &Path) -> Result<(), StoreError> {
        sqlx::query(dialect::COPY_TO)
            .bind(file.to_string_lossy().into_owned())
            .execute(&self.writer)
            .await
            .map_err(unavailable)?;
        Ok(())
    }

    async fn forget_requests(&self, before: Timestamp) -> Result<u64, StoreError> {
        let result = sqlx::query("DELETE FROM idempotent_requests WHERE created_us < $1")
            .bind(before.as_micros())
            .execute(&self.writer)
            .await
            .map_err(unavailable)?;
        Ok(result.rows_affected())
    }

    async fn setting(&self, name: &str) -> Result<Option<String>, StoreError> {
        sqlx::query_scalar("SELECT value FROM settings WHERE name = $1")
            .bind(name)
            .fetch_optional(&self.readers)
            .await
            .map_err(unavailable)
    }

    async fn put_setting(&self, name: &str, value: &str) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO settings (name, value) VALUES ($1, $2)
             ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        )
        .bind(name)
        .bind(value)
        .execute(&self.writer)
        .await
        .map_err(unavailable)?;
        Ok(())
    }
}
