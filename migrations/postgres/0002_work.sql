-- Durable jobs: written with the change that asks for them, leased, safe to repeat. Payloads hold ids only.
CREATE TABLE jobs (
    id             UUID   NOT NULL PRIMARY KEY,
    tenant_id      UUID   NOT NULL,
    kind           TEXT   NOT NULL,
    unique_key     TEXT   UNIQUE,
    payload        TEXT   NOT NULL,
    state          TEXT   NOT NULL,
    attempts       BIGINT NOT NULL,
    done           BIGINT NOT NULL,
    total          BIGINT NOT NULL,
    position       TEXT,
    run_after_us   BIGINT NOT NULL,
    lease_until_us BIGINT,
    error          TEXT,
    created_us     BIGINT NOT NULL,
    updated_us     BIGINT NOT NULL
);
CREATE INDEX jobs_to_claim ON jobs (state, run_after_us);

-- The access log: one row per recall and partition, bounded per partition. `hits` holds ids, ranks and scores.
CREATE TABLE recalls (
    partition_id BIGINT NOT NULL,
    id           UUID   NOT NULL,
    recalled_us  BIGINT NOT NULL,
    hits         BYTEA   NOT NULL,
    PRIMARY KEY (partition_id, id)
);

-- What requests with an idempotency key made, by id only.
CREATE TABLE idempotent_requests (
    tenant_id    UUID   NOT NULL,
    key          TEXT   NOT NULL,
    request_hash BYTEA   NOT NULL,
    made         TEXT   NOT NULL,
    created_us   BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, key)
);
CREATE INDEX idempotent_requests_by_age ON idempotent_requests (created_us);
