//! Consistency rules of the tables. Foreign keys are not enforced on writes, so a check counts the violations. Repairs
//! lose no data.

/// Consistency rule of the tables, with the statement that counts its violations and the one that repairs them without
/// loss.
pub(super) struct Rule {
    pub(super) code: &'static str,
    pub(super) detail: &'static str,
    pub(super) count: &'static str,
    pub(super) repair: Option<&'static str>,
}

/// Rule whose violations are the rows of a table that meet a condition; the repair deletes them. The condition names the columns
/// of the table with its name.
macro_rules! no_rows {
    ($code:literal, $detail:literal, $table:literal, $($condition:tt)+) => {
        Rule {
            code: $code,
            detail: $detail,
            count: concat!("SELECT count(*) FROM ", $table, " WHERE ", $($condition)+),
            repair: Some(concat!("DELETE FROM ", $table, " WHERE ", $($condition)+)),
        }
    };
}

/// Rule that a column is a count of other rows, which the repair counts anew.
macro_rules! exact_count {
    ($code:literal, $detail:literal, $table:literal, $column:literal, $count:literal $(,)?) => {
        Rule {
            code: $code,
            detail: $detail,
            count: concat!("SELECT count(*) FROM ", $table, " WHERE ", $column, " <> (", $count, ")"),
            repair: Some(concat!("UPDATE ", $table, " SET ", $column, " = (", $count, ")")),
        }
    };
}

/// Rule that a column is an integer that is not below what other rows have taken, or 0. The repair sets it to the least of
/// these.
macro_rules! at_least {
    ($code:literal, $detail:literal, $table:literal, $column:literal, $least:literal $(,)?) => {
        Rule {
            code: $code,
            detail: $detail,
            count: concat!("SELECT count(*) FROM ", $table, " WHERE ", at_least!($column, $least)),
            repair: Some(concat!(
                "UPDATE ",
                $table,
                " SET ",
                $column,
                " = COALESCE((",
                $least,
                "), 0) WHERE ",
                at_least!($column, $least)
            )),
        }
    };
    ($column:literal, $least:literal) => {
        concat!(
            "NOT (",
            super::dialect::is_integer!($column),
            " AND ",
            $column,
            " >= COALESCE((",
            $least,
            "), 0))"
        )
    };
}

/// True for a row of a table whose memory is not there. The ids stand in its columns `partition_id` and the one named.
macro_rules! memory_is_gone {
    ($table:literal, $column:literal) => {
        concat!(
            "NOT EXISTS (SELECT 1 FROM memories m WHERE m.partition_id = ",
            $table,
            ".partition_id AND m.id = ",
            $table,
            ".",
            $column,
            ")"
        )
    };
}

/// True for a row of a table in a partition that is not one of an erased owner, whose rows are deleted in steps.
macro_rules! partition_is_kept {
    ($table:literal) => {
        concat!(
            "NOT EXISTS (SELECT 1 FROM partitions p WHERE p.id = ",
            $table,
            ".partition_id AND p.tenant_id = ",
            super::dialect::erased_tenant!(),
            ")"
        )
    };
}

/// Shared memories of agents, apps and runs in the partitions of other owners, counted from the memories themselves.
macro_rules! shared_memories {
    () => {
        concat!(
            shared_memories!("agent", "agent_id"),
            " UNION ALL ",
            shared_memories!("app", "app_id"),
            " UNION ALL ",
            shared_memories!("run", "run_id")
        )
    };
    ($kind:literal, $column:literal) => {
        concat!(
            "SELECT p.tenant_id AS tenant_id, '",
            $kind,
            "' AS id_kind, m.",
            $column,
            " AS id, p.id AS partition_id,
                 COUNT(*) AS shared_count, MAX(m.recorded_us) AS last_shared_us
             FROM memories m JOIN partitions p ON p.id = m.partition_id
             WHERE m.visibility = 'shared' AND m.",
            $column,
            " IS NOT NULL AND p.owner_kind <> '",
            $kind,
            "' AND p.tenant_id <> ",
            super::dialect::erased_tenant!(),
            "
             GROUP BY p.tenant_id, m.",
            $column,
            ", p.id"
        )
    };
}

/// Rules in the order of their repair: a later repair handles what an earlier one leaves.
pub(super) const RULES: &[Rule] = &[
    no_rows!(
        "orphan_row",
        "index rows of memories that are not there",
        "index_rows",
        memory_is_gone!("index_rows", "memory_id"),
    ),
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
    no_rows!(
        "empty_session",
        "sessions without a turn",
        "sessions",
        "NOT EXISTS (SELECT 1 FROM turns t WHERE t.session_id = sessions.id)",
    ),
    at_least!(
        "wrong_last_number",
        "partitions whose number of the last change is no number, or is lower than that of their last change",
        "partitions",
        "last_seq",
        "SELECT max(c.seq) FROM changes c WHERE c.partition_id = partitions.id",
    ),
    at_least!(
        "wrong_session_count",
        "partitions whose number of sessions is no number, or was given to a session already",
        "partitions",
        "session_count",
        "SELECT max(s.ordinal) + 1 FROM sessions s WHERE s.partition_id = partitions.id",
    ),
    at_least!(
        "wrong_next_turn",
        "sessions whose number of the next turn is no number, or was given to a turn already",
        "sessions",
        "next_seq",
        "SELECT max(t.seq) + 1 FROM turns t WHERE t.session_id = sessions.id",
    ),
    Rule {
        code: "gap_in_log",
        detail: "partitions whose change log has gaps or does not end at the partition's number",
        count: "SELECT count(*) FROM partitions p WHERE p.last_seq <>
                    (SELECT count(*) FROM changes c WHERE c.partition_id = p.id)
                    OR p.last_seq <> COALESCE((SELECT max(c.seq) FROM changes c WHERE c.partition_id = p.id), 0)",
        repair: None,
    },
    exact_count!(
        "wrong_count",
        "partitions that count their memories wrongly",
        "partitions",
        "memory_count",
        "SELECT count(*) FROM memories m WHERE m.partition_id = partitions.id",
    ),
    exact_count!(
        "wrong_turn_count",
        "sessions that count their turns wrongly",
        "sessions",
        "turn_count",
        "SELECT count(*) FROM turns t WHERE t.session_id = sessions.id",
    ),
    // Those that are missing then are counted anew by the next rule.
    no_rows!(
        "unreadable_shared_count",
        "counts of the shared memories of an agent, app or run that cannot be decoded",
        "scope_partitions",
        "NOT (",
        super::dialect::is_integer!("last_shared_us"),
        " AND ",
        super::dialect::is_integer!("shared_count"),
        ")",
    ),
    Rule {
        code: "wrong_shared_count",
        detail: "counts of the shared memories of an agent, app or run that are wrong: it may not find them",
        count: concat!(
            "SELECT count(*) FROM (SELECT tenant_id, id_kind, id, partition_id, shared_count FROM (",
            shared_memories!(),
            ") AS shared EXCEPT
             SELECT tenant_id, id_kind, id, partition_id, shared_count FROM scope_partitions) AS wrong"
        ),
        repair: Some(concat!(
            "INSERT INTO scope_partitions (tenant_id, id_kind, id, partition_id, shared_count, last_shared_us)
             SELECT tenant_id, id_kind, id, partition_id, shared_count, last_shared_us FROM (",
            shared_memories!(),
            ") AS shared WHERE TRUE
             ON CONFLICT (tenant_id, id_kind, id, partition_id) DO UPDATE SET
                 shared_count = excluded.shared_count, last_shared_us = excluded.last_shared_us"
        )),
    },
    Rule {
        code: "surplus_shared_count",
        detail: "counts of shared memories of an agent, app or run that has none",
        count: concat!(
            "SELECT count(*) FROM (SELECT tenant_id, id_kind, id, partition_id FROM scope_partitions EXCEPT
             SELECT tenant_id, id_kind, id, partition_id FROM (",
            shared_memories!(),
            ") AS shared) AS surplus"
        ),
        repair: Some(concat!(
            "DELETE FROM scope_partitions WHERE (tenant_id, id_kind, id, partition_id) NOT IN
             (SELECT tenant_id, id_kind, id, partition_id FROM (",
            shared_memories!(),
            ") AS shared)"
        )),
    },
    Rule {
        code: "record_of_erased",
        detail: "records of requests with idempotency keys of which a memory has been erased",
        count: "SELECT count(*) FROM request_items i WHERE NOT EXISTS
                    (SELECT 1 FROM memories m WHERE m.partition_id = i.partition_id AND m.id = i.memory_id)",
        repair: Some(
            "DELETE FROM request_records WHERE id IN (SELECT i.record_id FROM request_items i WHERE NOT EXISTS
                 (SELECT 1 FROM memories m WHERE m.partition_id = i.partition_id AND m.id = i.memory_id))",
        ),
    },
    no_rows!(
        "orphan_request_item",
        "memories of requests with idempotency keys whose record is not there",
        "request_items",
        "NOT EXISTS (SELECT 1 FROM request_records r WHERE r.id = request_items.record_id) AND ",
        partition_is_kept!("request_items"),
    ),
    no_rows!(
        "orphan_version",
        "earlier versions of memories that are not there",
        "memory_versions",
        memory_is_gone!("memory_versions", "id"),
    ),
    no_rows!(
        "orphan_link",
        "noted links of which one end is not there",
        "link_targets",
        memory_is_gone!("link_targets", "to_id"),
        " OR ",
        memory_is_gone!("link_targets", "from_id"),
    ),
    no_rows!(
        "orphan_group",
        "groups of memories that are not there",
        "memory_groups",
        memory_is_gone!("memory_groups", "memory_id"),
    ),
    no_rows!(
        "orphan_forgotten",
        "records of forgetting of memories that are not there",
        "forgotten",
        memory_is_gone!("forgotten", "memory_id"),
    ),
    no_rows!(
        "orphan_in_queue",
        "turns that wait to be thought about and are not there",
        "thinking_queue",
        "NOT EXISTS (SELECT 1 FROM memories m WHERE m.partition_id = thinking_queue.partition_id
             AND m.id = thinking_queue.memory_id AND m.turn_id IS NOT NULL)",
    ),
    no_rows!(
        "orphan_grant",
        "grants of owners that are not there",
        "grants",
        "NOT EXISTS
             (SELECT 1 FROM partitions p WHERE p.id = grants.partition_id AND p.tenant_id = grants.tenant_id)",
    ),
    no_rows!(
        "orphan_grant_memory",
        "memories of grants that are not there",
        "grant_memories",
        memory_is_gone!("grant_memories", "memory_id"),
    ),
    no_rows!(
        "orphan_grant_event",
        "entries of the audit logs of grants that are not there",
        "grant_events",
        "NOT EXISTS (SELECT 1 FROM grants g WHERE g.id = grant_events.grant_id) AND ",
        partition_is_kept!("grant_events"),
    ),
    Rule {
        code: "missing_derivation",
        detail: "derived memories of which it is not known how they were made: an erasure would not find them",
        count: "SELECT count(*) FROM memories m WHERE m.derivation_id IS NOT NULL AND NOT EXISTS
                    (SELECT 1 FROM derivations d WHERE d.id = m.derivation_id)",
        repair: None,
    },
    no_rows!(
        "orphan_derivation",
        "derivations of memories that are not there",
        "derivations",
        "NOT EXISTS (SELECT 1 FROM memories m WHERE m.derivation_id = derivations.id)
             AND NOT EXISTS (SELECT 1 FROM memory_versions v
             WHERE v.partition_id = derivations.partition_id AND v.derivation_id = derivations.id)",
    ),
    no_rows!(
        "orphan_input",
        "inputs of derivations that are not there",
        "derivation_inputs",
        "NOT EXISTS (SELECT 1 FROM derivations d WHERE d.id = derivation_inputs.derivation_id)",
    ),
    Rule {
        code: "missing_source",
        detail: "inputs of derivations that are neither turn nor memory: what was made of them should be gone",
        count: "SELECT count(*) FROM derivation_inputs i
                WHERE NOT EXISTS (SELECT 1 FROM turns t WHERE t.partition_id = i.partition_id AND t.id = i.source_id)
                    AND NOT EXISTS
                        (SELECT 1 FROM memories m WHERE m.partition_id = i.partition_id AND m.id = i.source_id)",
        repair: None,
    },
];
