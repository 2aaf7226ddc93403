-- What index rows are derived with, besides the text: the embedder, the tokenizer and the version of the key recipe.
-- `index_rows.embedder_id` is the id of an entry here. Entries from before keep their ids, with an unknown tokenizer ('')
-- and key recipe (0), so that their rows are made anew once.
CREATE TABLE row_recipes (
    id         INTEGER PRIMARY KEY,
    embedder   TEXT   NOT NULL,
    tokenizer  TEXT   NOT NULL,
    key_recipe BIGINT NOT NULL,
    dimension  BIGINT NOT NULL,
    created_us BIGINT NOT NULL,
    UNIQUE (embedder, tokenizer, key_recipe)
);

-- The table they were in stays, empty, until a later release drops it: its unique key was over the embedder alone, and a
-- column's own constraint cannot be taken away.
INSERT INTO row_recipes (id, embedder, tokenizer, key_recipe, dimension, created_us)
SELECT id, identity, '', 0, dimension, created_us
FROM embedders;
DELETE FROM embedders;
