-- Whether jobs of a worker are running.
-- Callers: `forget_workers`.
-- Locks: none.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.has_running(worker_id text) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off AS $$
BEGIN
    RETURN EXISTS (
        SELECT 1 FROM onboarding.providers p CROSS JOIN LATERAL (
            SELECT 1 FROM onboarding.jobs j
            WHERE j.provider = p.provider AND j.state = 'running' AND j.claimed_by = worker_id
              AND j.claimed_at >= (SELECT m.running_since FROM onboarding.maintenance m)
            LIMIT 1) AS running);
END;
$$;
