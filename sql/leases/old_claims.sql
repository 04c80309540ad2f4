-- The tokens that `worker_id` has claimed more than ten seconds ago. Those that it does not hold were lost on the way
-- to it.
-- Callers: queries/old_claims.sql.
-- Locks: none.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.old_claims(worker_id text) RETURNS SETOF bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
BEGIN
    RETURN QUERY
    SELECT j.claim_token FROM onboarding.providers p
    JOIN onboarding.jobs j ON j.provider = p.provider AND j.claimed_at >= (SELECT m.running_since FROM onboarding.maintenance m)
    WHERE j.state = 'running' AND j.claimed_by = worker_id AND j.claimed_at < clock_timestamp() - interval '10 s';
END;
$$;
