-- Finds jobs that wait for one that has ended, where the two did not see each other: releases or cancels them, up to
-- `max_jobs` from the id after `from_id` on. Returns the last id looked at, null at the end.
-- Callers: queries/repair_blocked.sql.
-- Locks: those of `settle_dependents`.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.repair_blocked(max_jobs integer, INOUT from_id bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET jit = off AS $$
DECLARE
    ended bigint[];
    looked integer;
BEGIN
    SELECT max(b.id), count(*), array_agg(DISTINCT a.id) FILTER (WHERE a.state IN ('completed', 'failed', 'cancelled'))
    INTO from_id, looked, ended
    FROM (
        SELECT j.id, j.after_job_id FROM onboarding.jobs j
        WHERE j.state = 'blocked' AND j.id > coalesce(from_id, 0) ORDER BY j.id LIMIT max_jobs) b
    JOIN onboarding.jobs a ON a.id = b.after_job_id;
    IF ended IS NOT NULL THEN PERFORM onboarding.settle_dependents(ended); END IF;
    IF looked < max_jobs THEN from_id := NULL; END IF;
END;
$$;
