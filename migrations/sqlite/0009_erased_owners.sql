-- An owner that is erased loses its partition in one step: the row goes to the tenant of erased partitions (all bits set),
-- under a name made of the tenant and the number of the partition. Jobs then delete what is in it.

-- Greatest number of a partition that was deleted, so that none is given twice.
CREATE TABLE removed_partitions (
    id BIGINT NOT NULL PRIMARY KEY
);

CREATE INDEX derivations_of_partition ON derivations (partition_id);

-- Whose memories a job is about: it goes with its owner. None for jobs of the whole store.
ALTER TABLE durable_jobs ADD COLUMN owner_kind TEXT;
ALTER TABLE durable_jobs ADD COLUMN owner_id TEXT;
UPDATE durable_jobs
SET owner_kind = json_extract(payload, '$.owner_kind'), owner_id = json_extract(payload, '$.owner_id')
WHERE kind IN ('facts', 'organise', 'tim.paper') AND json_valid(payload);
CREATE INDEX durable_jobs_of_owner ON durable_jobs (tenant_id, owner_kind, owner_id) WHERE owner_id IS NOT NULL;

-- Owners of whom nothing is left go like those that are erased from now on.
DELETE FROM keyed_requests
WHERE EXISTS (
    SELECT 1 FROM partitions p
    WHERE p.tenant_id = keyed_requests.tenant_id AND p.owner_kind = keyed_requests.owner_kind
        AND p.owner_id = keyed_requests.owner_id AND p.memory_count = 0
);
DELETE FROM durable_jobs
WHERE EXISTS (
    SELECT 1 FROM partitions p
    WHERE p.tenant_id = durable_jobs.tenant_id AND p.owner_kind = durable_jobs.owner_kind
        AND p.owner_id = durable_jobs.owner_id AND p.memory_count = 0
);
DELETE FROM scope_partitions WHERE partition_id IN (SELECT id FROM partitions WHERE memory_count = 0);
UPDATE partitions
SET owner_kind = 'user', owner_id = lower(hex(tenant_id)) || '/' || id,
    tenant_id = X'FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF'
WHERE memory_count = 0;
