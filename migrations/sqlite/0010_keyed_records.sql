-- What requests with an idempotency key made, by id only. Owner, key and request are digests under a key of the store (ADR
-- 0030): `place` of tenant, caller, operation, owner and key, `request` with the hash of the request in the place of the
-- owner. `partition_id` is that of the memories that were made, null if there are none.
CREATE TABLE request_records (
    id           INTEGER PRIMARY KEY,
    place        BLOB   NOT NULL UNIQUE,
    request      BLOB   NOT NULL,
    partition_id BIGINT,
    made         TEXT   NOT NULL,
    created_us   BIGINT NOT NULL
);
CREATE INDEX request_records_by_request ON request_records (request, created_us);
CREATE INDEX request_records_of_partition ON request_records (partition_id) WHERE partition_id IS NOT NULL;
CREATE INDEX request_records_by_age ON request_records (created_us);

-- The way from a memory to the records of the requests that made or edited it: they go with it. Records of earlier stores
-- are keyed at the next opening, since SQL cannot, and leave `keyed_requests` empty until a later release drops it.
CREATE TABLE request_items (
    partition_id BIGINT NOT NULL,
    memory_id    BLOB   NOT NULL,
    record_id    BIGINT NOT NULL,
    PRIMARY KEY (partition_id, memory_id, record_id)
) WITHOUT ROWID;

-- What has to be read in an order: owners of a tenant, waiting jobs of a kind, jobs that run, partitions with a queue,
-- the changes of a memory, the versions of a derivation.
CREATE INDEX partitions_of_tenant ON partitions (tenant_id, id);
DROP INDEX durable_jobs_to_claim;
CREATE INDEX durable_jobs_in_order ON durable_jobs (kind, state, run_after_us, id);
CREATE INDEX durable_jobs_running ON durable_jobs (id) WHERE state = 'running';
CREATE INDEX thinking_queue_of_mechanism ON thinking_queue (mechanism, partition_id);
CREATE INDEX changes_of_memory ON changes (memory_id, partition_id);
DROP INDEX memory_versions_by_derivation;
CREATE INDEX memory_versions_of_derivation ON memory_versions (derivation_id) WHERE derivation_id IS NOT NULL;

-- In which partitions an agent, app or run has shared memories that belong to somebody else: how many, and when the latest
-- version of one was recorded. Triggers keep both right, so that no writer can forget them, not even a plain DELETE. A
-- partition with none has no row, and neither has one that is taken from its owner: its names are gone.
ALTER TABLE scope_partitions ADD COLUMN shared_count BIGINT NOT NULL DEFAULT 0;
ALTER TABLE scope_partitions ADD COLUMN last_shared_us BIGINT NOT NULL DEFAULT 0;
CREATE INDEX scope_partitions_by_recency ON scope_partitions (tenant_id, id_kind, id, last_shared_us, partition_id);
CREATE INDEX scope_partitions_of_partition ON scope_partitions (partition_id, id_kind, id);
DELETE FROM scope_partitions;
INSERT INTO scope_partitions (tenant_id, id_kind, id, partition_id, shared_count, last_shared_us)
SELECT p.tenant_id, 'agent', m.agent_id, p.id, COUNT(*), MAX(m.recorded_us)
FROM memories m JOIN partitions p ON p.id = m.partition_id
WHERE m.visibility = 'shared' AND m.agent_id IS NOT NULL AND p.owner_kind <> 'agent'
GROUP BY p.tenant_id, m.agent_id, p.id;
INSERT INTO scope_partitions (tenant_id, id_kind, id, partition_id, shared_count, last_shared_us)
SELECT p.tenant_id, 'app', m.app_id, p.id, COUNT(*), MAX(m.recorded_us)
FROM memories m JOIN partitions p ON p.id = m.partition_id
WHERE m.visibility = 'shared' AND m.app_id IS NOT NULL AND p.owner_kind <> 'app'
GROUP BY p.tenant_id, m.app_id, p.id;
INSERT INTO scope_partitions (tenant_id, id_kind, id, partition_id, shared_count, last_shared_us)
SELECT p.tenant_id, 'run', m.run_id, p.id, COUNT(*), MAX(m.recorded_us)
FROM memories m JOIN partitions p ON p.id = m.partition_id
WHERE m.visibility = 'shared' AND m.run_id IS NOT NULL AND p.owner_kind <> 'run'
GROUP BY p.tenant_id, m.run_id, p.id;

CREATE TRIGGER shared_memory_added AFTER INSERT ON memories
WHEN NEW.visibility = 'shared' AND COALESCE(NEW.agent_id, NEW.app_id, NEW.run_id) IS NOT NULL
BEGIN
    INSERT INTO scope_partitions (tenant_id, id_kind, id, partition_id, shared_count, last_shared_us)
    SELECT p.tenant_id, ids.kind, ids.id, p.id, 1, NEW.recorded_us
    FROM partitions p
    JOIN (SELECT 'agent' AS kind, NEW.agent_id AS id UNION ALL SELECT 'app', NEW.app_id
          UNION ALL SELECT 'run', NEW.run_id) AS ids
    WHERE p.id = NEW.partition_id AND NEW.visibility = 'shared' AND ids.id IS NOT NULL AND ids.kind <> p.owner_kind
        AND p.tenant_id <> X'FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF'
    ON CONFLICT (tenant_id, id_kind, id, partition_id) DO UPDATE SET
        shared_count = shared_count + 1, last_shared_us = MAX(last_shared_us, excluded.last_shared_us);
END;

CREATE TRIGGER shared_memory_removed AFTER DELETE ON memories
WHEN OLD.visibility = 'shared' AND COALESCE(OLD.agent_id, OLD.app_id, OLD.run_id) IS NOT NULL
BEGIN
    UPDATE scope_partitions SET shared_count = shared_count - 1
    WHERE partition_id = OLD.partition_id AND id_kind = 'agent' AND id = OLD.agent_id AND OLD.visibility = 'shared';
    DELETE FROM scope_partitions
    WHERE partition_id = OLD.partition_id AND id_kind = 'agent' AND id = OLD.agent_id AND shared_count <= 0;
    UPDATE scope_partitions SET shared_count = shared_count - 1
    WHERE partition_id = OLD.partition_id AND id_kind = 'app' AND id = OLD.app_id AND OLD.visibility = 'shared';
    DELETE FROM scope_partitions
    WHERE partition_id = OLD.partition_id AND id_kind = 'app' AND id = OLD.app_id AND shared_count <= 0;
    UPDATE scope_partitions SET shared_count = shared_count - 1
    WHERE partition_id = OLD.partition_id AND id_kind = 'run' AND id = OLD.run_id AND OLD.visibility = 'shared';
    DELETE FROM scope_partitions
    WHERE partition_id = OLD.partition_id AND id_kind = 'run' AND id = OLD.run_id AND shared_count <= 0;
END;

-- The new version is counted before the old one is not: a row that stays keeps its time.
CREATE TRIGGER shared_memory_changed
AFTER UPDATE OF visibility, agent_id, app_id, run_id, recorded_us ON memories
WHEN NEW.visibility = 'shared' OR OLD.visibility = 'shared'
BEGIN
    INSERT INTO scope_partitions (tenant_id, id_kind, id, partition_id, shared_count, last_shared_us)
    SELECT p.tenant_id, ids.kind, ids.id, p.id, 1, NEW.recorded_us
    FROM partitions p
    JOIN (SELECT 'agent' AS kind, NEW.agent_id AS id UNION ALL SELECT 'app', NEW.app_id
          UNION ALL SELECT 'run', NEW.run_id) AS ids
    WHERE p.id = NEW.partition_id AND NEW.visibility = 'shared' AND ids.id IS NOT NULL AND ids.kind <> p.owner_kind
        AND p.tenant_id <> X'FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF'
    ON CONFLICT (tenant_id, id_kind, id, partition_id) DO UPDATE SET
        shared_count = shared_count + 1, last_shared_us = MAX(last_shared_us, excluded.last_shared_us);
    UPDATE scope_partitions SET shared_count = shared_count - 1
    WHERE partition_id = OLD.partition_id AND id_kind = 'agent' AND id = OLD.agent_id AND OLD.visibility = 'shared';
    DELETE FROM scope_partitions
    WHERE partition_id = OLD.partition_id AND id_kind = 'agent' AND id = OLD.agent_id AND shared_count <= 0;
    UPDATE scope_partitions SET shared_count = shared_count - 1
    WHERE partition_id = OLD.partition_id AND id_kind = 'app' AND id = OLD.app_id AND OLD.visibility = 'shared';
    DELETE FROM scope_partitions
    WHERE partition_id = OLD.partition_id AND id_kind = 'app' AND id = OLD.app_id AND shared_count <= 0;
    UPDATE scope_partitions SET shared_count = shared_count - 1
    WHERE partition_id = OLD.partition_id AND id_kind = 'run' AND id = OLD.run_id AND OLD.visibility = 'shared';
    DELETE FROM scope_partitions
    WHERE partition_id = OLD.partition_id AND id_kind = 'run' AND id = OLD.run_id AND shared_count <= 0;
END;
