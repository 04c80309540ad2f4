-- Whether anything of these providers is due, running, waits for its next attempt, or is blocked on such a job; or
-- whether the end of a job has still to be told to jobs that wait for it.
-- Callers: `onboard work --drain`, through queries/has_work.sql.
-- Locks: none.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.has_work(served text[]) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- Pinned: statistics that find most jobs finished must not make it read them.
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    RETURN EXISTS (
            SELECT 1 FROM onboarding.jobs j
            WHERE j.state = 'available' AND NOT j.is_behind AND j.provider = ANY (served)
              AND (j.run_at <= now() OR j.last_outcome IS NOT NULL))
        OR EXISTS (
            SELECT 1 FROM onboarding.jobs j
            WHERE j.state = 'running' AND j.provider = ANY (served))
        OR EXISTS (
            SELECT 1 FROM onboarding.jobs j
            JOIN onboarding.jobs a ON a.id = j.after_job_id
            WHERE j.state = 'blocked' AND j.provider = ANY (served) AND a.provider = ANY (served)
              AND (a.state = 'running' OR (a.state = 'available' AND (a.run_at <= now() OR a.last_outcome IS NOT NULL))))
        OR EXISTS (SELECT 1 FROM onboarding.unsettled_ends);
END;
$$;
