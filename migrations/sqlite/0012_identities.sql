-- Identities of what is sent again: a turn by its own key, or by its position in the conversation and its content; a
-- finished memory by its own key. Turns of earlier releases may share a key, so the index is not unique: the lock on the
-- partition keeps new ones apart.
ALTER TABLE turns ADD COLUMN position BIGINT;
CREATE INDEX turns_by_key ON turns (session_id, key) WHERE key IS NOT NULL;
CREATE INDEX turns_by_position ON turns (session_id, position) WHERE position IS NOT NULL;
ALTER TABLE memories ADD COLUMN own_key TEXT;
CREATE UNIQUE INDEX memories_by_own_key ON memories (partition_id, own_key) WHERE own_key IS NOT NULL;

-- Identities of what was erased, as keyed digests: what is sent again under one of them is left out. The owner is one as
-- well: its partition goes with the last memory.
CREATE TABLE erased_identities (
    owner  BLOB NOT NULL,
    digest BLOB NOT NULL,
    PRIMARY KEY (owner, digest)
) WITHOUT ROWID;

-- `turn_count` is the number of turns that are there; the ordinal of the next one is counted apart.
ALTER TABLE sessions ADD COLUMN next_seq BIGINT NOT NULL DEFAULT 0;
UPDATE sessions SET next_seq = turn_count;
UPDATE sessions SET turn_count = (SELECT count(*) FROM turns t WHERE t.session_id = sessions.id);
