-- Rows of the index whose vectors are made later, in the order in which they are made. The list is an index, so that it
-- follows every write, edit and erasure of the rows without statements of its own.
CREATE INDEX index_rows_without_vector
    ON index_rows (embedder_id, partition_id, memory_id, key_kind, chunk) WHERE vector IS NULL;
