-- Which job made a version, so that its work can be found again and taken back. None for what no job made.
ALTER TABLE derivations ADD COLUMN job_id UUID;
CREATE INDEX derivations_by_job ON derivations (job_id, id) WHERE job_id IS NOT NULL;

-- Every version has a derivation of its own: an erasure looks for the earlier ones of its sources too.
CREATE INDEX memory_versions_by_derivation ON memory_versions (partition_id, derivation_id)
    WHERE derivation_id IS NOT NULL;
