-- The moment before which no running job was claimed (`maintenance.running_since`), as far as jobs tell that were
-- claimed at `start` or later.
-- Callers: `maintain`, `repair_restored`, `take_over`.
-- Locks: none.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.first_running(start timestamptz) RETURNS timestamptz
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off AS $$
BEGIN
    RETURN (SELECT least(now() - interval '1 minute', min(first.claimed_at))
    FROM onboarding.providers p CROSS JOIN LATERAL (
        SELECT j.claimed_at FROM onboarding.jobs j
        WHERE j.provider = p.provider AND j.state = 'running' AND j.claimed_at >= start
        ORDER BY j.claimed_at LIMIT 1) AS first);
END;
$$;
