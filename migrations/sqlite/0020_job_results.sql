-- Result of a job that is done, as JSON with numbers, ids and codes; null for kinds without one.
ALTER TABLE durable_jobs ADD COLUMN result TEXT;
