-- Cosine of a memory to the nearest memory that its owner had when it was learned (ADR 0053); null if it is not known.
ALTER TABLE memories ADD COLUMN nearest_cosine DOUBLE PRECISION;
