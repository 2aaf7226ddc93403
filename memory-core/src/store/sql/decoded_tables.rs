//! Tables whose rows a check decodes, each with its decoding. Index rows, which are derived data, have a decoding of
//! their own in `unreadable`; counters are compared with the rows that they count by the rules of `integrity`.

use uuid::Uuid;

use super::grant_events;
use super::idempotency::created_from_json;
use super::jobs::{JOB_COLUMNS, read_job};
use super::packed_hits::unpack_hits;
use super::rows::{
    self, Reader, SESSION_COLUMNS, TURN_COLUMNS, VERSION_COLUMNS, forgotten_columns, memory_columns,
};
use super::stored_grants::selection;
use super::{Row, StoreError};
use crate::domain::scope::OwnerKind;
use crate::store::ChangeOp;

/// Rows of one table, with their decoding.
pub(super) struct Decoded {
    /// Code of the damage.
    pub(super) code: &'static str,
    /// Rows, in words.
    pub(super) what: &'static str,
    /// Table.
    pub(super) table: &'static str,
    /// Columns that are decoded.
    pub(super) columns: &'static str,
    /// End of the statement after the columns; empty if the columns have it.
    pub(super) from: &'static str,
    /// Decoding.
    pub(super) read: fn(&Row) -> Result<(), StoreError>,
}

macro_rules! decoded {
    ($code:literal, $what:literal, $table:literal, $columns:expr, $read:expr) => {
        Decoded {
            code: $code,
            what: $what,
            table: $table,
            columns: $columns,
            from: concat!(" FROM ", $table),
            read: $read,
        }
    };
}

/// Tables apart from the index rows.
pub(super) const DECODED: &[Decoded] = &[
    Decoded {
        code: "unreadable_memory",
        what: "memories",
        table: "memories",
        columns: concat!(memory_columns!("COALESCE(m.text, t.text), m.own_key")),
        from: "",
        read: |row| {
            let at = Reader { row, table: "memories" };
            at.name(rows::MEMORY_COLUMNS, "own_key")?;
            rows::memory(row).map(drop)
        },
    },
    Decoded {
        code: "unreadable_version",
        what: "earlier versions of memories",
        table: "memory_versions",
        columns: VERSION_COLUMNS,
        from: " FROM memory_versions v",
        read: rows::check_version,
    },
    decoded!("unreadable_turn", "turns", "turns", TURN_COLUMNS, |row| rows::turn(row).map(drop)),
    decoded!("unreadable_session", "sessions", "sessions", SESSION_COLUMNS, |row| rows::session(row)
        .map(drop)),
    decoded!(
        "unreadable_owner",
        "owners",
        "partitions",
        "id, tenant_id, owner_kind, owner_id, created_us",
        |row| {
            let at = Reader { row, table: "partitions" };
            at.parsed(2, "owner_kind", OwnerKind::parse)?;
            at.required_name(3, "owner_id")?;
            tuple::<(i64, Uuid, String, String, i64)>(row, "partitions")
        }
    ),
    decoded!(
        "unreadable_shared",
        "partitions with shared memories of an agent, app or run",
        "scope_partitions",
        "id_kind, id, tenant_id, partition_id",
        |row| {
            let at = Reader { row, table: "scope_partitions" };
            at.parsed(0, "id_kind", OwnerKind::parse)?;
            at.required_name(1, "id")?;
            tuple::<(String, String, Uuid, i64)>(row, "scope_partitions")
        }
    ),
    decoded!(
        "unreadable_change",
        "entries of change logs",
        "changes",
        "op, partition_id, seq, memory_id, version, recorded_us",
        |row| {
            let at = Reader { row, table: "changes" };
            let op: i16 = at.get(0, "op")?;
            ChangeOp::from_code(i64::from(op)).ok_or_else(|| at.corrupt("op", "is unknown"))?;
            let _: u64 = at.number(2, "seq")?;
            let _: u32 = at.number(4, "version")?;
            tuple::<(i16, i64, i64, Uuid, i64, i64)>(row, "changes")
        }
    ),
    decoded!(
        "unreadable_derivation",
        "derivations",
        "derivations",
        "id, partition_id, maker, model, prompt, job_id, made_us",
        |row| {
            tuple::<(Uuid, i64, String, Option<String>, Option<String>, Option<Uuid>, i64)>(
                row,
                "derivations",
            )
        }
    ),
    decoded!(
        "unreadable_input",
        "inputs of derivations",
        "derivation_inputs",
        "source_kind, partition_id, source_id, derivation_id, is_evidence",
        |row| {
            let at = Reader { row, table: "derivation_inputs" };
            at.parsed(0, "source_kind", |kind| matches!(kind, "turn" | "memory").then_some(()))?;
            tuple::<(String, i64, Uuid, Uuid, bool)>(row, "derivation_inputs")
        }
    ),
    decoded!(
        "unreadable_recall",
        "entries of the access log",
        "recalls",
        "hits, partition_id, id, recalled_us, session_key",
        |row| {
            let at = Reader { row, table: "recalls" };
            let hits: &[u8] = at.get(0, "hits")?;
            if unpack_hits(hits).is_none() {
                return Err(at.corrupt("hits", "has a part of a hit"));
            }
            at.name(4, "session_key")?;
            tuple::<(Vec<u8>, i64, Uuid, i64, Option<String>)>(row, "recalls")
        }
    ),
    decoded!("unreadable_job", "jobs", "durable_jobs", JOB_COLUMNS, |row| read_job(row).map(drop)),
    decoded!(
        "unreadable_usage",
        "entries of the account of model calls",
        "model_usage",
        "day, task, model, calls, refused_replies, failures, prompt_tokens, reply_tokens, cost_micros",
        |row| tuple::<(i64, String, String, i64, i64, i64, i64, i64, i64)>(row, "model_usage")
    ),
    decoded!(
        "unreadable_request",
        "records of idempotency keys",
        "request_records",
        "made, place, request, partition_id, created_us",
        |row| {
            let at = Reader { row, table: "request_records" };
            let made = created_from_json(at.get(0, "made")?);
            made.ok_or_else(|| at.corrupt("made", "is no list of ids"))?;
            tuple::<(String, Vec<u8>, Vec<u8>, Option<i64>, i64)>(row, "request_records")
        }
    ),
    decoded!(
        "unreadable_request_item",
        "memories of requests with idempotency keys",
        "request_items",
        "partition_id, memory_id, record_id",
        |row| tuple::<(i64, Uuid, i64)>(row, "request_items")
    ),
    decoded!("unreadable_link", "noted links", "link_targets", "partition_id, to_id, from_id", |row| {
        tuple::<(i64, Uuid, Uuid)>(row, "link_targets")
    }),
    decoded!(
        "unreadable_group",
        "groups of memories",
        "memory_groups",
        "partition_id, group_key, memory_id",
        |row| tuple::<(i64, String, Uuid)>(row, "memory_groups")
    ),
    Decoded {
        code: "unreadable_forgotten",
        what: "records of forgetting",
        table: "forgotten",
        columns: concat!(forgotten_columns!(), ", f.memory_id, f.partition_id"),
        from: " FROM forgotten f",
        read: |row| {
            let at = Reader { row, table: "forgotten" };
            let _: (Uuid, i64) = (at.get(7, "memory_id")?, at.get(8, "partition_id")?);
            match rows::forgotten(&at, 0)? {
                Some(record) if !record.is_valid() => Err(at.corrupt("retention", "is no fraction")),
                _ => Ok(()),
            }
        },
    },
    decoded!(
        "unreadable_in_queue",
        "turns that wait to be thought about",
        "thinking_queue",
        "partition_id, mechanism, seq, memory_id",
        |row| tuple::<(i64, String, i64, Uuid)>(row, "thinking_queue")
    ),
    decoded!(
        "unreadable_grant",
        "grants",
        "grants",
        "id, tenant_id, partition_id, grantee_kind, grantee_name, tag, filter, given_us, given_by_id, expires_us, \
         revoked_us, revoked_by_id, open_until_us, place, request",
        grant
    ),
    decoded!(
        "unreadable_grant_memory",
        "memories of grants",
        "grant_memories",
        "partition_id, grant_id, memory_id",
        |row| tuple::<(i64, Uuid, Uuid)>(row, "grant_memories")
    ),
    decoded!(
        "unreadable_grant_event",
        "entries of the audit logs of grants",
        "grant_events",
        "id, at_us, kind, caller_id, recall_id, memories, partition_id, grant_id",
        |row| {
            let at = Reader { row, table: "grant_events" };
            let _: (i64, Uuid) = (at.get(6, "partition_id")?, at.get(7, "grant_id")?);
            grant_events::event(row).map(drop)
        }
    ),
    decoded!(
        "unreadable_identity",
        "identities of erased memories",
        "erased_identities",
        "owner, digest",
        |row| tuple::<(Vec<u8>, Vec<u8>)>(row, "erased_identities")
    ),
    decoded!("unreadable_removed", "numbers of removed partitions", "removed_partitions", "id", |row| {
        tuple::<(i64,)>(row, "removed_partitions")
    }),
    decoded!(
        "unreadable_recipe",
        "recipes of index rows",
        "row_recipes",
        "key_recipe, dimension, id, embedder, tokenizer, created_us",
        |row| {
            let at = Reader { row, table: "row_recipes" };
            let _: (u32, u32) = (at.number(0, "key_recipe")?, at.number(1, "dimension")?);
            tuple::<(i64, i64, i64, String, String, i64)>(row, "row_recipes")
        }
    ),
    decoded!("unreadable_setting", "settings", "settings", "name, value", |row| {
        let at = Reader { row, table: "settings" };
        let (name, value): (&str, &str) = (at.get(0, "name")?, at.get(1, "value")?);
        let is_number = value.parse::<u64>().is_ok();
        match name {
            "commits" | "embedder_in_use" if !is_number => Err(at.corrupt("value", "is no number")),
            _ => Ok(()),
        }
    }),
];

fn grant(row: &Row) -> Result<(), StoreError> {
    let at = Reader { row, table: "grants" };
    let _: (Uuid, Uuid, i64) = (at.get(0, "id")?, at.get(1, "tenant_id")?, at.get(2, "partition_id")?);
    at.parsed(3, "grantee_kind", OwnerKind::parse)?;
    at.required_name(4, "grantee_name")?;
    selection(&at, at.name(5, "tag")?, at.get(6, "filter")?)?;
    let _: (i64, Uuid) = (at.get(7, "given_us")?, at.get(8, "given_by_id")?);
    let _: (Option<i64>, Option<i64>) = (at.get(9, "expires_us")?, at.get(10, "revoked_us")?);
    let _: (Option<Uuid>, i64) = (at.get(11, "revoked_by_id")?, at.get(12, "open_until_us")?);
    let _: (Option<Vec<u8>>, Option<Vec<u8>>) = (at.get(13, "place")?, at.get(14, "request")?);
    Ok(())
}

fn tuple<T>(row: &Row, table: &'static str) -> Result<(), StoreError>
where
    T: for<'r> sqlx::FromRow<'r, Row>,
{
    let read = T::from_row(row).map(drop);
    read.map_err(|error| Reader { row, table }.corrupt("a column", &error.to_string()))
}
