-- The jobs among these that nobody has locked at this moment.
-- Callers: `repair_ends`, queries/unlocked_jobs.sql.
-- Locks: the jobs, passing by those that are locked, until the end of the transaction.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.unlocked_jobs(job_ids bigint[]) RETURNS SETOF bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off AS $$
BEGIN
    RETURN QUERY
    SELECT j.id FROM onboarding.jobs j WHERE j.id = ANY (job_ids) FOR NO KEY UPDATE SKIP LOCKED;
END;
$$;
