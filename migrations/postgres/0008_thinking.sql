-- Structured content of a version, and the partners to whom it may be told: JSON, null for none.
ALTER TABLE memories ADD COLUMN statement TEXT;
ALTER TABLE memories ADD COLUMN audience TEXT;
ALTER TABLE memory_versions ADD COLUMN statement TEXT;
ALTER TABLE memory_versions ADD COLUMN audience TEXT;

-- Groups of the present memories by keys of their content: the sets that thinking looks at together.
CREATE TABLE memory_groups (
    partition_id BIGINT NOT NULL,
    group_key    TEXT   NOT NULL,
    memory_id    UUID   NOT NULL,
    PRIMARY KEY (partition_id, group_key, memory_id)
);
CREATE INDEX memory_groups_of_memory ON memory_groups (partition_id, memory_id);

-- Turns that a mechanism has yet to think about, numbered as in the change log.
CREATE TABLE thinking_queue (
    partition_id BIGINT NOT NULL,
    mechanism    TEXT   NOT NULL,
    seq          BIGINT NOT NULL,
    memory_id    UUID   NOT NULL,
    PRIMARY KEY (partition_id, mechanism, seq)
);
CREATE UNIQUE INDEX thinking_queue_of_memory ON thinking_queue (partition_id, memory_id, mechanism);

-- Use of language models by day of the call, in days since 1970 in UTC. Costs are in millionths of the currency unit.
CREATE TABLE model_usage (
    partition_id    BIGINT NOT NULL,
    day             BIGINT NOT NULL,
    task            TEXT   NOT NULL,
    model           TEXT   NOT NULL,
    calls           BIGINT NOT NULL,
    refused_replies BIGINT NOT NULL,
    failures        BIGINT NOT NULL,
    prompt_tokens   BIGINT NOT NULL,
    reply_tokens    BIGINT NOT NULL,
    cost_micros     BIGINT NOT NULL,
    PRIMARY KEY (partition_id, day, task, model)
);

-- A job that gives up its unique key when it is first claimed, so that the next one can wait while it runs.
ALTER TABLE durable_jobs ADD COLUMN releases_key BOOLEAN NOT NULL DEFAULT FALSE;
