-- Who owns what. A partition is one owner in one tenant; its counters are what sequence numbers are taken from.
CREATE TABLE partitions (
    id            INTEGER PRIMARY KEY,
    tenant_id     BLOB   NOT NULL,
    owner_kind    TEXT   NOT NULL,
    owner_id      TEXT   NOT NULL,
    created_us    BIGINT NOT NULL,
    last_seq      BIGINT NOT NULL DEFAULT 0,
    session_count BIGINT NOT NULL DEFAULT 0,
    memory_count  BIGINT NOT NULL DEFAULT 0,
    UNIQUE (tenant_id, owner_kind, owner_id)
);

-- In which partitions an agent, app or run has memories that belong to somebody else.
CREATE TABLE scope_partitions (
    tenant_id    BLOB   NOT NULL,
    id_kind      TEXT   NOT NULL,
    id           TEXT   NOT NULL,
    partition_id BIGINT NOT NULL REFERENCES partitions (id),
    PRIMARY KEY (tenant_id, id_kind, id, partition_id)
) WITHOUT ROWID;

-- The source layer: written once, never changed, gone only by erasure.
CREATE TABLE sessions (
    id           BLOB   NOT NULL PRIMARY KEY,
    partition_id BIGINT NOT NULL REFERENCES partitions (id),
    key          TEXT   NOT NULL,
    ordinal      BIGINT NOT NULL,
    turn_count   BIGINT NOT NULL,
    started_us   BIGINT NOT NULL,
    recorded_us  BIGINT NOT NULL,
    UNIQUE (partition_id, key),
    UNIQUE (partition_id, ordinal)
);

CREATE TABLE turns (
    partition_id BIGINT NOT NULL REFERENCES partitions (id),
    id           BLOB   NOT NULL,
    session_id   BLOB   NOT NULL REFERENCES sessions (id),
    seq          BIGINT NOT NULL,
    key          TEXT,
    role         TEXT   NOT NULL,
    author       TEXT,
    text         TEXT   NOT NULL,
    said_us      BIGINT NOT NULL,
    recorded_us  BIGINT NOT NULL,
    participants TEXT,
    place        TEXT,
    metadata     TEXT,
    PRIMARY KEY (partition_id, id)
) WITHOUT ROWID;
CREATE UNIQUE INDEX turns_in_order ON turns (session_id, seq);

-- The memory layer: the present version of each. `text` is null for a turn that was never edited: its text is the
-- turn's. Clustered by partition, so that loading one owner reads one stretch of the file.
CREATE TABLE memories (
    partition_id      BIGINT NOT NULL REFERENCES partitions (id),
    id                BLOB   NOT NULL,
    version           BIGINT NOT NULL,
    kind              TEXT   NOT NULL,
    text              TEXT,
    tokens            BIGINT NOT NULL,
    agent_id          TEXT,
    app_id            TEXT,
    run_id            TEXT,
    visibility        TEXT   NOT NULL,
    subjects          TEXT,
    tags              TEXT,
    metadata          TEXT,
    namespace         TEXT,
    key               TEXT,
    turn_id           BLOB,
    derivation_id     BLOB,
    happened_us       BIGINT NOT NULL,
    happened_until_us BIGINT,
    recorded_us       BIGINT NOT NULL,
    created_us        BIGINT NOT NULL,
    valid_from_us     BIGINT,
    valid_to_us       BIGINT,
    expires_us        BIGINT,
    importance        DOUBLE PRECISION NOT NULL,
    strength          DOUBLE PRECISION NOT NULL,
    refreshed_us      BIGINT NOT NULL,
    PRIMARY KEY (partition_id, id)
) WITHOUT ROWID;
CREATE UNIQUE INDEX memories_by_id ON memories (id);
CREATE UNIQUE INDEX memories_by_turn ON memories (partition_id, turn_id) WHERE turn_id IS NOT NULL;
CREATE UNIQUE INDEX memories_by_document ON memories (partition_id, namespace, key) WHERE namespace IS NOT NULL;
CREATE INDEX memories_by_derivation ON memories (derivation_id) WHERE derivation_id IS NOT NULL;

-- The versions before the present one.
CREATE TABLE memory_versions (
    partition_id      BIGINT NOT NULL,
    id                BLOB   NOT NULL,
    version           BIGINT NOT NULL,
    text              TEXT,
    tokens            BIGINT NOT NULL,
    visibility        TEXT   NOT NULL,
    subjects          TEXT,
    tags              TEXT,
    metadata          TEXT,
    derivation_id     BLOB,
    happened_us       BIGINT NOT NULL,
    happened_until_us BIGINT,
    recorded_us       BIGINT NOT NULL,
    valid_from_us     BIGINT,
    valid_to_us       BIGINT,
    expires_us        BIGINT,
    importance        DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (partition_id, id, version)
) WITHOUT ROWID;

-- How a derived memory came to be, and all that was shown to whatever made it.
CREATE TABLE derivations (
    id           BLOB   NOT NULL PRIMARY KEY,
    partition_id BIGINT NOT NULL REFERENCES partitions (id),
    maker        TEXT   NOT NULL,
    model        TEXT,
    prompt       TEXT,
    made_us      BIGINT NOT NULL
);

CREATE TABLE derivation_inputs (
    partition_id  BIGINT  NOT NULL,
    source_id     BLOB    NOT NULL,
    derivation_id BLOB    NOT NULL REFERENCES derivations (id),
    source_kind   TEXT    NOT NULL,
    is_evidence   BOOLEAN NOT NULL,
    PRIMARY KEY (partition_id, source_id, derivation_id)
) WITHOUT ROWID;
CREATE INDEX derivation_inputs_by_derivation ON derivation_inputs (derivation_id);

-- What memories are found by. A row is a chunk of a key of a memory, with its words and its vector. Rows are per
-- embedder, since each cuts texts at its own limit: another one's rows are made beside them, then take over.
CREATE TABLE embedders (
    id         INTEGER PRIMARY KEY,
    identity   TEXT   NOT NULL UNIQUE,
    dimension  BIGINT NOT NULL,
    created_us BIGINT NOT NULL
);

CREATE TABLE index_rows (
    partition_id BIGINT   NOT NULL,
    embedder_id  BIGINT   NOT NULL REFERENCES embedders (id),
    memory_id    BLOB     NOT NULL,
    key_kind     SMALLINT NOT NULL,
    chunk        BIGINT   NOT NULL,
    span_start   BIGINT   NOT NULL,
    span_end     BIGINT   NOT NULL,
    terms        BLOB     NOT NULL,
    vector       BLOB,
    PRIMARY KEY (partition_id, embedder_id, memory_id, key_kind, chunk)
) WITHOUT ROWID;

-- The change log of each partition: no gaps, written with the change.
CREATE TABLE changes (
    partition_id BIGINT   NOT NULL,
    seq          BIGINT   NOT NULL,
    op           SMALLINT NOT NULL,
    memory_id    BLOB     NOT NULL,
    version      BIGINT   NOT NULL,
    recorded_us  BIGINT   NOT NULL,
    PRIMARY KEY (partition_id, seq)
) WITHOUT ROWID;

-- Settings of the store itself, such as which embedder is in use.
CREATE TABLE settings (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);
