-- The interval in milliseconds.
-- Callers: `claim`, `key_age_ms`, `register_worker`, `sent_age_ms`.
-- Locks: none.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.milliseconds(span interval) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$
    SELECT (extract(epoch FROM span) * 1000)::bigint;
$$;
