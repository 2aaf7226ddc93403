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
        code: "empty_session",
        detail: "sessions without a turn",
        count: "SELECT count(*) FROM sessions s WHERE NOT EXISTS (SELECT 1 FROM turns t WHERE t.session_id = s.id)",
        repair: Some("DELETE FROM sessions WHERE NOT EXISTS (SELECT 1 FROM turns t WHERE t.session_id = sessions.id)"),
    },
    Rule {
        code: "wrong_last_number",
        detail: "partitions whose number of the last change is no number, or is lower than that of their last change",
        count: concat!(
            "SELECT count(*) FROM partitions p WHERE NOT (",
            super::dialect::is_integer!("p.last_seq"),
            " AND p.last_seq >= COALESCE((SELECT max(c.seq) FROM changes c WHERE c.partition_id = p.id), 0))"
        ),
        repair: Some(concat!(
            "UPDATE partitions SET last_seq =
                 COALESCE((SELECT max(c.seq) FROM changes c WHERE c.partition_id = partitions.id), 0)
             WHERE NOT (",
            super::dialect::is_integer!("last_seq"),
            " AND last_seq >= COALESCE((SELECT max(c.seq) FROM changes c WHERE c.partition_id = partitions.id), 0))"
        )),
    },
    Rule {
        code: "wrong_session_count",
        detail: "partitions whose number of sessions is no number, or was given to a session already",
        count: concat!(
            "SELECT count(*) FROM partitions p WHERE NOT (",
            super::dialect::is_integer!("p.session_count"),
            " AND p.session_count >=
                COALESCE((SELECT max(s.ordinal) + 1 FROM sessions s WHERE s.partition_id = p.id), 0))"
        ),
        repair: Some(concat!(
            "UPDATE partitions SET session_count =
                 COALESCE((SELECT max(s.ordinal) + 1 FROM sessions s WHERE s.partition_id = partitions.id), 0)
             WHERE NOT (",
            super::dialect::is_integer!("session_count"),
            " AND session_count >=
                COALESCE((SELECT max(s.ordinal) + 1 FROM sessions s WHERE s.partition_id = partitions.id), 0))"
        )),
    },
    Rule {
        code: "wrong_next_turn",
        detail: "sessions whose number of the next turn is no number, or was given to a turn already",
        count: concat!(
            "SELECT count(*) FROM sessions s WHERE NOT (",
            super::dialect::is_integer!("s.next_seq"),
            " AND s.next_seq >= COALESCE((SELECT max(t.seq) + 1 FROM turns t WHERE t.session_id = s.id), 0))"
        ),
        repair: Some(concat!(
            "UPDATE sessions SET next_seq =
                 COALESCE((SELECT max(t.seq) + 1 FROM turns t WHERE t.session_id = sessions.id), 0)
             WHERE NOT (",
            super::dialect::is_integer!("next_seq"),
            " AND next_seq >= COALESCE((SELECT max(t.seq) + 1 FROM turns t WHERE t.session_id = sessions.id), 0))"
        )),
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
        code: "wrong_turn_count",
        detail: "sessions that count their turns wrongly",
        count: "SELECT count(*) FROM sessions s WHERE s.turn_count <>
                    (SELECT count(*) FROM turns t WHERE t.session_id = s.id)",
        repair: Some(
            "UPDATE sessions SET turn_count = (SELECT count(*) FROM turns t WHERE t.session_id = sessions.id)",
        ),
    },
    Rule {
        code: "unreadable_shared_count",
        detail: "counts of the shared memories of an agent, app or run that cannot be decoded",
        count: concat!(
            "SELECT count(*) FROM scope_partitions s WHERE NOT (",
            super::dialect::is_integer!("s.last_shared_us"),
            " AND ",
            super::dialect::is_integer!("s.shared_count"),
            ")"
        ),
        // Those that are missing then are counted anew by the next rule.
        repair: Some(concat!(
            "DELETE FROM scope_partitions WHERE NOT (",
            super::dialect::is_integer!("last_shared_us"),
            " AND ",
            super::dialect::is_integer!("shared_count"),
            ")"
        )),
    },
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
    Rule {
        code: "orphan_request_item",
        detail: "memories of requests with idempotency keys whose record is not there",
        // Those of a partition that is taken from its owner are deleted in steps.
        count: concat!(
            "SELECT count(*) FROM request_items i WHERE NOT EXISTS
                 (SELECT 1 FROM request_records r WHERE r.id = i.record_id)
             AND NOT EXISTS (SELECT 1 FROM partitions p WHERE p.id = i.partition_id AND p.tenant_id = ",
            super::dialect::erased_tenant!(),
            ")"
        ),
        repair: Some(
            "DELETE FROM request_items WHERE NOT EXISTS
                 (SELECT 1 FROM request_records r WHERE r.id = request_items.record_id)",
        ),
    },
    Rule {
        code: "orphan_version",
        detail: "earlier versions of memories that are not there",
        count: "SELECT count(*) FROM memory_versions v WHERE NOT EXISTS
                    (SELECT 1 FROM memories m WHERE m.partition_id = v.partition_id AND m.id = v.id)",
        repair: Some(
            "DELETE FROM memory_versions WHERE NOT EXISTS (SELECT 1 FROM memories m
                 WHERE m.partition_id = memory_versions.partition_id AND m.id = memory_versions.id)",
        ),
    },
    Rule {
        code: "orphan_link",
        detail: "noted links of which one end is not there",
        count: "SELECT count(*) FROM link_targets l
                WHERE NOT EXISTS (SELECT 1 FROM memories m WHERE m.partition_id = l.partition_id AND m.id = l.to_id)
                    OR NOT EXISTS (SELECT 1 FROM memories m WHERE m.partition_id = l.partition_id AND m.id = l.from_id)",
        repair: Some(
            "DELETE FROM link_targets
             WHERE NOT EXISTS (SELECT 1 FROM memories m
                     WHERE m.partition_id = link_targets.partition_id AND m.id = link_targets.to_id)
                 OR NOT EXISTS (SELECT 1 FROM memories m
                     WHERE m.partition_id = link_targets.partition_id AND m.id = link_targets.from_id)",
        ),
    },
    Rule {
        code: "orphan_group",
        detail: "groups of memories that are not there",
        count: "SELECT count(*) FROM memory_groups g WHERE NOT EXISTS
                    (SELECT 1 FROM memories m WHERE m.partition_id = g.partition_id AND m.id = g.memory_id)",
        repair: Some(
            "DELETE FROM memory_groups WHERE NOT EXISTS (SELECT 1 FROM memories m
                 WHERE m.partition_id = memory_groups.partition_id AND m.id = memory_groups.memory_id)",
        ),
    },
    Rule {
        code: "orphan_forgotten",
        detail: "records of forgetting of memories that are not there",
        count: "SELECT count(*) FROM forgotten f WHERE NOT EXISTS
                    (SELECT 1 FROM memories m WHERE m.partition_id = f.partition_id AND m.id = f.memory_id)",
        repair: Some(
            "DELETE FROM forgotten WHERE NOT EXISTS (SELECT 1 FROM memories m
                 WHERE m.partition_id = forgotten.partition_id AND m.id = forgotten.memory_id)",
        ),
    },
    Rule {
        code: "orphan_in_queue",
        detail: "turns that wait to be thought about and are not there",
        count: "SELECT count(*) FROM thinking_queue q WHERE NOT EXISTS (SELECT 1 FROM memories m
                    WHERE m.partition_id = q.partition_id AND m.id = q.memory_id AND m.turn_id IS NOT NULL)",
        repair: Some(
            "DELETE FROM thinking_queue WHERE NOT EXISTS (SELECT 1 FROM memories m
                 WHERE m.partition_id = thinking_queue.partition_id AND m.id = thinking_queue.memory_id
                     AND m.turn_id IS NOT NULL)",
        ),
    },
    Rule {
        code: "orphan_grant",
        detail: "grants of owners that are not there",
        count: "SELECT count(*) FROM grants g WHERE NOT EXISTS
                    (SELECT 1 FROM partitions p WHERE p.id = g.partition_id AND p.tenant_id = g.tenant_id)",
        repair: Some(
            "DELETE FROM grants WHERE NOT EXISTS
                 (SELECT 1 FROM partitions p WHERE p.id = grants.partition_id AND p.tenant_id = grants.tenant_id)",
        ),
    },
    Rule {
        code: "orphan_grant_memory",
        detail: "memories of grants that are not there",
        count: "SELECT count(*) FROM grant_memories g WHERE NOT EXISTS
                    (SELECT 1 FROM memories m WHERE m.partition_id = g.partition_id AND m.id = g.memory_id)",
        repair: Some(
            "DELETE FROM grant_memories WHERE NOT EXISTS (SELECT 1 FROM memories m
                 WHERE m.partition_id = grant_memories.partition_id AND m.id = grant_memories.memory_id)",
        ),
    },
    Rule {
        code: "orphan_grant_event",
        detail: "entries of the audit logs of grants that are not there",
        count: concat!(
            "SELECT count(*) FROM grant_events e WHERE NOT EXISTS (SELECT 1 FROM grants g WHERE g.id = e.grant_id)
                 AND NOT EXISTS (SELECT 1 FROM partitions p WHERE p.id = e.partition_id AND p.tenant_id = ",
            super::dialect::erased_tenant!(),
            ")"
        ),
        repair: Some(concat!(
            "DELETE FROM grant_events WHERE NOT EXISTS (SELECT 1 FROM grants g WHERE g.id = grant_events.grant_id)
                 AND NOT EXISTS (SELECT 1 FROM partitions p WHERE p.id = grant_events.partition_id AND p.tenant_id = ",
            super::dialect::erased_tenant!(),
            ")"
        )),
    },
    Rule {
        code: "missing_derivation",
        detail: "derived memories of which it is not known how they were made: an erasure would not find them",
        count: "SELECT count(*) FROM memories m WHERE m.derivation_id IS NOT NULL AND NOT EXISTS
                    (SELECT 1 FROM derivations d WHERE d.id = m.derivation_id)",
        repair: None,
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
    Rule {
        code: "orphan_input",
        detail: "inputs of derivations that are not there",
        count: "SELECT count(*) FROM derivation_inputs i WHERE NOT EXISTS
                    (SELECT 1 FROM derivations d WHERE d.id = i.derivation_id)",
        repair: Some(
            "DELETE FROM derivation_inputs WHERE NOT EXISTS
                 (SELECT 1 FROM derivations d WHERE d.id = derivation_inputs.derivation_id)",
        ),
    },
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
