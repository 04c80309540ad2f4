-- The job that already has the unique key; null without one.
-- Callers: `enqueue`.
-- Locks: none.
-- Errors: 23505 when that job has another payload or other parameters.
CREATE OR REPLACE FUNCTION onboarding.same_job(kind text, unique_key text, payload jsonb, parameters jsonb) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    job bigint;
    same boolean;
BEGIN
    SELECT j.id, j.payload = same_job.payload AND j.parameters = same_job.parameters INTO job, same
    FROM onboarding.jobs j WHERE j.kind = same_job.kind AND j.unique_key = same_job.unique_key;
    IF job IS NOT NULL AND same IS NOT TRUE THEN
        RAISE EXCEPTION 'onboarding: unique_key is taken by job % of this kind with another payload or other parameters', job
            USING ERRCODE = 'unique_violation', COLUMN = 'unique_key';
    END IF;
    RETURN job;
END;
$$;
