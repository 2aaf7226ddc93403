-- Consolidation of sessions (ADR 0046): when a session was closed, null while it is open; and the last number of the change
-- log when its digest was asked for, null if none is asked for.
ALTER TABLE sessions ADD COLUMN closed_us BIGINT;
ALTER TABLE sessions ADD COLUMN asked_seq BIGINT;
CREATE INDEX sessions_to_consolidate ON sessions (partition_id, asked_seq) WHERE asked_seq IS NOT NULL;

-- Session for which a recall was made, by its key: the first recall of a session comes before its first turn. It goes with
-- the session.
ALTER TABLE recalls ADD COLUMN session_key TEXT;
CREATE INDEX recalls_of_session ON recalls (partition_id, session_key, id) WHERE session_key IS NOT NULL;
