-- Keywords and context of a version, for a note that has them: JSON, null for none.
ALTER TABLE memories ADD COLUMN annotation TEXT;
ALTER TABLE memory_versions ADD COLUMN annotation TEXT;
