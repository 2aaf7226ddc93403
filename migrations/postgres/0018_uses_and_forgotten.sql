-- Uses, pins and forgotten memories (ADR 0049). `refreshed_us` stays the time at which a memory was learned. `uses` has its
-- newest uses in a bounded encoding, null for none.
ALTER TABLE memories ADD COLUMN uses BYTEA;
ALTER TABLE memories ADD COLUMN pinned BOOLEAN NOT NULL DEFAULT FALSE;

-- Forgotten memories: `forgotten_us` is the moment at which the retention fell below the threshold, or of the eviction;
-- `recorded_us` is when the sweep found it. A row is removed when its memory is restored or erased.
CREATE TABLE forgotten (
    partition_id BIGINT NOT NULL,
    memory_id    UUID   NOT NULL,
    forgotten_us BIGINT NOT NULL,
    recorded_us  BIGINT NOT NULL,
    reason       TEXT   NOT NULL,
    effect       TEXT   NOT NULL,
    curve        TEXT   NOT NULL,
    retention    DOUBLE PRECISION NOT NULL,
    threshold    DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (partition_id, memory_id)
);
CREATE INDEX forgotten_in_order ON forgotten (partition_id, recorded_us, memory_id);
