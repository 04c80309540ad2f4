-- Deletes jobs and what is known of them alone, and returns how many jobs.
-- Callers: `delete_finished`.
-- Locks: the jobs.
-- Errors: 23503 and others if a single one cannot be deleted: then none is.
CREATE OR REPLACE FUNCTION onboarding.delete_jobs(job_ids bigint[]) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
    deleted integer;
BEGIN
    DELETE FROM onboarding.late_successes l WHERE l.job_id = ANY (job_ids);
    DELETE FROM onboarding.shared_ids s WHERE s.job_id = ANY (job_ids) OR s.other_job_id = ANY (job_ids);
    DELETE FROM onboarding.jobs j WHERE j.id = ANY (job_ids);
    GET DIAGNOSTICS deleted = ROW_COUNT;
    -- A deferred reference from a table of the company's own would fail at the commit, and undo everything.
    SET CONSTRAINTS ALL IMMEDIATE;
    RETURN deleted;
END;
$$;
