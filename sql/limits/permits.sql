-- How many calls `provider_name` may start now, or why none and for how long (`allowance`). `counted`: a limit holds,
-- so claims of all workers are counted one after the other.
-- Callers: `claim`.
-- Locks: the provider's row where a limit holds and calls are allowed. Not where the answer is no: a lock is a write,
-- and each look at a limit would wait for the disk.
-- Errors: 55P03 by the lock_timeout of `claim`.
CREATE OR REPLACE FUNCTION onboarding.permits(
    provider_name text, wanted integer, OUT allowed integer, OUT hint text, OUT wait_ms integer, OUT counted boolean,
    OUT probing boolean)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
    p onboarding.providers;
    -- Not now(): this transaction may have waited for its turn.
    t timestamptz := clock_timestamp();
BEGIN
    allowed := 0; counted := false; probing := false; wait_ms := 1000;
    SELECT * INTO p FROM onboarding.providers WHERE provider = provider_name;
    IF NOT FOUND THEN hint := 'unknown'; RETURN; END IF;
    SELECT a.allowed, a.hint, a.wait_ms, a.probing INTO allowed, hint, wait_ms, probing FROM onboarding.allowance(p, wanted, t) a;
    counted := p.max_in_flight IS NOT NULL OR p.rate_per_second IS NOT NULL OR p.adaptive_rate IS NOT NULL
        OR p.circuit <> 'closed' OR (p.call_window IS NOT NULL AND onboarding.trial_window(p, t) IS NOT NULL);
    IF allowed = 0 OR NOT counted THEN RETURN; END IF;
    SELECT * INTO p FROM onboarding.providers WHERE provider = provider_name FOR NO KEY UPDATE;
    SELECT a.allowed, a.hint, a.wait_ms, a.probing INTO allowed, hint, wait_ms, probing
    FROM onboarding.allowance(p, wanted, clock_timestamp()) a;
END;
$$;
