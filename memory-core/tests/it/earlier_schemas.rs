//! Statements that give a store the schema of an earlier release.

/// Statements that undo migrations 12 to 20.
pub(crate) const BEFORE_IDENTITIES: &str = "
    ALTER TABLE durable_jobs DROP COLUMN result;
    ALTER TABLE memories DROP COLUMN nearest_cosine;
    DROP TABLE forgotten;
    ALTER TABLE memories DROP COLUMN uses;
    ALTER TABLE memories DROP COLUMN pinned;
    DROP INDEX sessions_to_consolidate;
    DROP INDEX recalls_of_session;
    ALTER TABLE sessions DROP COLUMN closed_us;
    ALTER TABLE sessions DROP COLUMN asked_seq;
    ALTER TABLE recalls DROP COLUMN session_key;
    DROP TABLE grants;
    DROP TABLE grant_memories;
    DROP TABLE grant_events;
    ALTER TABLE memories DROP COLUMN annotation;
    ALTER TABLE memory_versions DROP COLUMN annotation;
    ALTER TABLE turns DROP COLUMN utc_offset_minutes;
    ALTER TABLE memories DROP COLUMN utc_offset_minutes;
    ALTER TABLE memory_versions DROP COLUMN utc_offset_minutes;
    DROP INDEX index_rows_without_vector;
    DROP INDEX turns_by_key;
    DROP INDEX turns_by_position;
    DROP INDEX memories_by_own_key;
    ALTER TABLE turns DROP COLUMN position;
    ALTER TABLE memories DROP COLUMN own_key;
    ALTER TABLE sessions DROP COLUMN next_seq;
    DROP TABLE erased_identities;";

/// Statements that undo migration 9, apart from the columns of `durable_jobs`.
pub(crate) const BEFORE_ERASED_OWNERS: &str = "
    DROP TABLE removed_partitions;
    DROP INDEX derivations_of_partition;
    DROP INDEX durable_jobs_of_owner;";

/// Statements that undo migrations 7 and 8, apart from the columns of `durable_jobs`.
pub(crate) const BEFORE_THINKING: &str = "
    DROP INDEX derivations_by_job;
    DROP INDEX memory_versions_by_derivation;
    ALTER TABLE derivations DROP COLUMN job_id;
    ALTER TABLE memories DROP COLUMN statement;
    ALTER TABLE memories DROP COLUMN audience;
    ALTER TABLE memory_versions DROP COLUMN statement;
    ALTER TABLE memory_versions DROP COLUMN audience;
    DROP TABLE memory_groups;
    DROP TABLE thinking_queue;
    DROP TABLE model_usage;";

/// Statements that undo migration 10. A request that it keyed is written back with its plain hash.
pub(crate) const BEFORE_KEYED_RECORDS: &str = "
    DROP TRIGGER shared_memory_added;
    DROP TRIGGER shared_memory_removed;
    DROP TRIGGER shared_memory_changed;
    DROP INDEX scope_partitions_by_recency;
    DROP INDEX scope_partitions_of_partition;
    ALTER TABLE scope_partitions DROP COLUMN shared_count;
    ALTER TABLE scope_partitions DROP COLUMN last_shared_us;
    DROP INDEX partitions_of_tenant;
    DROP INDEX durable_jobs_in_order;
    DROP INDEX durable_jobs_running;
    CREATE INDEX durable_jobs_to_claim ON durable_jobs (kind, state, run_after_us);
    DROP INDEX thinking_queue_of_mechanism;
    DROP INDEX changes_of_memory;
    DROP INDEX memory_versions_of_derivation;
    CREATE INDEX memory_versions_by_derivation ON memory_versions (partition_id, derivation_id);
    INSERT INTO keyed_requests
    SELECT zeroblob(16), 'msg-1', 'add_memories', zeroblob(16), 'user', 'ann',
        X'0101010101010101010101010101010101010101010101010101010101010101', made, created_us
    FROM request_records;
    DROP TABLE request_records;
    DROP TABLE request_items;
    DELETE FROM _sqlx_migrations WHERE version >= 10;";

/// Schema of a store before migration 4: keys unique per tenant, importance rounded to single precision.
pub(crate) const BEFORE_KEYS_HAD_OWNERS: &str = "
    INSERT INTO idempotent_requests SELECT tenant_id, key, request_hash, made, created_us FROM keyed_requests;
    DROP TABLE keyed_requests;
    UPDATE memories SET importance = 0.8999999761581421 WHERE importance = 0.9;
    UPDATE memories SET importance = 0.123456791043281555 WHERE importance = 0.123456789;
    UPDATE memories SET importance = 0.009999999776482582 WHERE importance = 0.01;
    DROP TABLE durable_jobs;
    INSERT INTO embedders SELECT id, embedder, dimension, created_us FROM row_recipes;
    DROP TABLE row_recipes;
    DELETE FROM _sqlx_migrations WHERE version >= 4;";

/// Schema of a store before migration 5: jobs in a table whose unique key is over all tenants.
pub(crate) const BEFORE_JOBS_HAD_TENANTS: &str = "
    INSERT INTO jobs
    SELECT id, tenant_id, kind, unique_key, payload, state, attempts, done, total, position, run_after_us,
        lease_until_us, error, created_us, updated_us
    FROM durable_jobs;
    DROP TABLE durable_jobs;
    INSERT INTO embedders SELECT id, embedder, dimension, created_us FROM row_recipes;
    DROP TABLE row_recipes;
    DELETE FROM _sqlx_migrations WHERE version >= 5;";

/// Schema of a store before migration 6: rows numbered by their embedder alone.
pub(crate) const BEFORE_ROWS_HAD_RECIPES: &str = "
    INSERT INTO embedders SELECT id, embedder, dimension, created_us FROM row_recipes;
    DROP TABLE row_recipes;
    ALTER TABLE durable_jobs DROP COLUMN owner_kind;
    ALTER TABLE durable_jobs DROP COLUMN owner_id;
    ALTER TABLE durable_jobs DROP COLUMN releases_key;
    DELETE FROM _sqlx_migrations WHERE version >= 6;";
