-- What requests with an idempotency key made, by id only. A key is its caller's own, for one owner and one operation.
CREATE TABLE keyed_requests (
    tenant_id    UUID   NOT NULL,
    key          TEXT   NOT NULL,
    operation    TEXT   NOT NULL,
    caller_id    UUID   NOT NULL,
    owner_kind   TEXT   NOT NULL,
    owner_id     TEXT   NOT NULL,
    request_hash BYTEA   NOT NULL,
    made         TEXT   NOT NULL,
    created_us   BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, key, operation, caller_id, owner_kind, owner_id)
);
CREATE INDEX keyed_requests_by_age ON keyed_requests (created_us);

-- Keys from before go on working: an empty operation marks those whose caller, owner and operation nobody kept. Each
-- answers a repetition of its very request (the hash covers operation and scope), refuses nothing any more, and is
-- forgotten with its age like all others. The table they were in stays, empty, until a later release drops it.
INSERT INTO keyed_requests
    (tenant_id, key, operation, caller_id, owner_kind, owner_id, request_hash, made, created_us)
SELECT tenant_id, key, '', '00000000-0000-0000-0000-000000000000'::uuid, '', '', request_hash, made, created_us
FROM idempotent_requests;
DELETE FROM idempotent_requests;

-- Importance was rounded to single precision before it was kept as a double: 0.9 became 0.8999999761581421, which no
-- filter on 0.9 finds. Where a number x of at most seven decimal places rounds to what is kept, x is what was given.
-- With c = x * (2^29 + 1), `c - (c - x)` is x rounded to the 24 bits of single precision: scores, which are computed in
-- it, stay as they were to the last bit.
UPDATE memories
SET importance = ROUND(importance * 1e7) / 1e7
WHERE ROUND(importance * 1e7) / 1e7 <> importance
    AND ROUND(importance * 1e7) / 1e7 * 536870913
        - (ROUND(importance * 1e7) / 1e7 * 536870913 - ROUND(importance * 1e7) / 1e7) = importance;
UPDATE memory_versions
SET importance = ROUND(importance * 1e7) / 1e7
WHERE ROUND(importance * 1e7) / 1e7 <> importance
    AND ROUND(importance * 1e7) / 1e7 * 536870913
        - (ROUND(importance * 1e7) / 1e7 * 536870913 - ROUND(importance * 1e7) / 1e7) = importance;
