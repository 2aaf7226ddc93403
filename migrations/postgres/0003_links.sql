-- Links belong to the version that they start from: a JSON list beside its other columns, null for none.
ALTER TABLE memories ADD COLUMN links TEXT;
ALTER TABLE memory_versions ADD COLUMN links TEXT;

-- Which memories have a version that links to a memory: what an erasure has to mend, and the way back along a link.
CREATE TABLE link_targets (
    partition_id BIGINT NOT NULL,
    to_id        UUID   NOT NULL,
    from_id      UUID   NOT NULL,
    PRIMARY KEY (partition_id, to_id, from_id)
);
