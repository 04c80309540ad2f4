-- Settles what could not be settled because somebody had locked it, or did not see it: up to `max_ends` ends, and
-- uncertain jobs whose record was proved meanwhile. Returns how many were tried; what is still locked is recorded anew.
-- Callers: queries/repair_ends.sql.
-- Locks: rows of `unsettled_ends`, passing by those that are locked; then those of `settle_dependents` and
-- `settle_late_successes`.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.repair_ends(max_ends integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
    ended bigint[];
    proven bigint[];
BEGIN
    WITH taken AS (
        DELETE FROM onboarding.unsettled_ends u
        WHERE u.ctid = ANY (ARRAY(
            SELECT o.ctid FROM onboarding.unsettled_ends o ORDER BY o.at LIMIT max_ends FOR UPDATE SKIP LOCKED))
        RETURNING u.job_id
    )
    SELECT array_agg(DISTINCT t.job_id) INTO ended FROM taken t;
    IF ended IS NOT NULL THEN
        -- One that is locked may be about to end, by somebody who does not see yet what waits for it.
        INSERT INTO onboarding.unsettled_ends (job_id)
        SELECT j.id FROM onboarding.jobs j
        WHERE j.id = ANY (ended) AND j.state NOT IN ('completed', 'failed', 'cancelled')
          AND NOT EXISTS (SELECT FROM onboarding.unlocked_jobs(ARRAY[j.id]));
        PERFORM onboarding.settle_dependents(ended);
    END IF;
    SELECT array_agg(l.job_id) INTO proven FROM (
        SELECT s.job_id FROM onboarding.jobs j
        JOIN onboarding.late_successes s ON s.job_id = j.id
        WHERE j.state = 'uncertain' LIMIT max_ends) l;
    IF proven IS NOT NULL THEN PERFORM onboarding.settle_late_successes(proven); END IF;
    RETURN coalesce(cardinality(ended), 0) + coalesce(cardinality(proven), 0);
END;
$$;
