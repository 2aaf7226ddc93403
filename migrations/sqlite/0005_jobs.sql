-- Durable jobs: written with the change that asks for them, leased, safe to repeat. Payloads hold ids and settings only.
-- A unique key is its tenant's own, for one kind. `attempts` numbers the leases, `failures` those that ended in an error.
CREATE TABLE durable_jobs (
    id             BLOB   NOT NULL PRIMARY KEY,
    tenant_id      BLOB   NOT NULL,
    kind           TEXT   NOT NULL,
    unique_key     TEXT,
    payload        TEXT   NOT NULL,
    state          TEXT   NOT NULL,
    attempts       BIGINT NOT NULL,
    failures       BIGINT NOT NULL,
    done           BIGINT NOT NULL,
    total          BIGINT NOT NULL,
    position       TEXT,
    run_after_us   BIGINT NOT NULL,
    lease_until_us BIGINT,
    error          TEXT,
    created_us     BIGINT NOT NULL,
    updated_us     BIGINT NOT NULL,
    UNIQUE (tenant_id, kind, unique_key)
);
CREATE INDEX durable_jobs_to_claim ON durable_jobs (kind, state, run_after_us);
CREATE INDEX durable_jobs_of_tenant ON durable_jobs (tenant_id, id);

-- Jobs from before go on. The table they were in stays, empty, until a later release drops it: its unique key was over
-- all tenants, and a column's own constraint cannot be taken away.
INSERT INTO durable_jobs
    (id, tenant_id, kind, unique_key, payload, state, attempts, failures, done, total, position, run_after_us,
     lease_until_us, error, created_us, updated_us)
SELECT id, tenant_id, kind, unique_key, payload, state, attempts, 0, done, total, position, run_after_us,
    lease_until_us, error, created_us, updated_us
FROM jobs;
DELETE FROM jobs;
