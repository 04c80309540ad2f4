-- A UUID of version 4 (RFC 9562, section 5.4) whose first 48 bits are the time in milliseconds; the other 74 are
-- random. Keys that are made one after another lie side by side in their index: with random keys each transition writes
-- to another page, and after a checkpoint the WAL has an image of each. The body is parsed when it is created: no
-- caller's search_path changes it.
-- Callers: the default of `jobs.idempotency_key`, with the rights of whoever inserts; `enqueue`.
-- Locks: none.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.new_idempotency_key() RETURNS uuid LANGUAGE sql VOLATILE
RETURN encode(overlay(uuid_send(gen_random_uuid())
    PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6), 'hex')::uuid;

-- A default that calls a routine is set beside it: tables are made before routines.
ALTER TABLE onboarding.jobs ALTER idempotency_key SET DEFAULT onboarding.new_idempotency_key();
