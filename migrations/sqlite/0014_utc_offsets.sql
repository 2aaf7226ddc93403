-- Offset of the local time of what was said or happened, in minutes east of Greenwich; null if it is not known.
ALTER TABLE turns ADD COLUMN utc_offset_minutes BIGINT;
ALTER TABLE memories ADD COLUMN utc_offset_minutes BIGINT;
ALTER TABLE memory_versions ADD COLUMN utc_offset_minutes BIGINT;
