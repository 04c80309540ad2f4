-- Whether a job that has ended may have a record at its provider all the same: a fenced-out worker brought a success,
-- or a call whose effect is unknown, after the job had ended.
-- Callers: `retry`.
-- Locks: none.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.may_exist(job onboarding.jobs) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN job.last_sent_at IS NOT NULL OR job.late_doubt
        OR EXISTS (SELECT 1 FROM onboarding.late_successes l WHERE l.job_id = job.id);
END;
$$;
