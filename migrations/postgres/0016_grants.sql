-- Grants: read access that an owner gives to another principal of its tenant. They are listed by partition of the giver and
-- by grantee. `open_until_us` is the moment at which a grant ends: its expiry, the largest number if it has none, the
-- smallest if it was revoked, so that a revocation holds for processes with any clock. A grant without tag and filter
-- selects the memories in `grant_memories`. `place` and `request` are digests of an idempotency key, as in
-- `request_records`.
CREATE TABLE grants (
    id            UUID   NOT NULL PRIMARY KEY,
    tenant_id     UUID   NOT NULL,
    partition_id  BIGINT NOT NULL,
    grantee_kind  TEXT   NOT NULL,
    grantee_name  TEXT   NOT NULL,
    tag           TEXT,
    filter        TEXT,
    given_us      BIGINT NOT NULL,
    given_by_id   UUID   NOT NULL,
    expires_us    BIGINT,
    revoked_us    BIGINT,
    revoked_by_id UUID,
    open_until_us BIGINT NOT NULL,
    place         BYTEA,
    request       BYTEA
);
CREATE INDEX grants_given ON grants (partition_id, id);
CREATE INDEX grants_received ON grants (tenant_id, grantee_kind, grantee_name, id);
CREATE INDEX grants_open ON grants (tenant_id, grantee_kind, grantee_name, open_until_us);
CREATE UNIQUE INDEX grants_by_place ON grants (place) WHERE place IS NOT NULL;

CREATE TABLE grant_memories (
    partition_id BIGINT NOT NULL,
    grant_id     UUID   NOT NULL,
    memory_id    UUID   NOT NULL,
    PRIMARY KEY (partition_id, grant_id, memory_id)
);
CREATE INDEX grant_memories_of_memory ON grant_memories (partition_id, memory_id);

-- Audit log of grants: who gave and revoked, and each read through one.
CREATE TABLE grant_events (
    partition_id BIGINT NOT NULL,
    grant_id     UUID   NOT NULL,
    id           UUID   NOT NULL,
    at_us        BIGINT NOT NULL,
    kind         TEXT   NOT NULL,
    caller_id    UUID   NOT NULL,
    recall_id    UUID,
    memories     BIGINT NOT NULL,
    PRIMARY KEY (partition_id, grant_id, id)
);
