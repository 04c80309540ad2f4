-- The row of a job, locked.
-- Callers: `cancel`, `resolve`, `retry`.
-- Locks: the job.
-- Errors: P0002 where there is no such job.
CREATE OR REPLACE FUNCTION onboarding.lock_job(job_id bigint) RETURNS onboarding.jobs
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    job onboarding.jobs;
BEGIN
    SELECT * INTO job FROM onboarding.jobs j WHERE j.id = lock_job.job_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'onboarding: % is not a job', coalesce(lock_job.job_id::text, 'null')
            USING ERRCODE = 'no_data_found', COLUMN = 'job_id';
    END IF;
    RETURN job;
END;
$$;
