-- The jobs that were cancelled because this one ended without success, and those that were cancelled because of them.
-- Callers: `retry`, queries/job_retry.sql.
-- Locks: none.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.cancelled_with(job_id bigint) RETURNS SETOF bigint
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH RECURSIVE tree (id) AS (
        SELECT d.id FROM onboarding.jobs d
        WHERE d.after_job_id = cancelled_with.job_id AND d.state = 'cancelled'
          AND d.last_error LIKE 'job ' || d.after_job_id || ', which this one waits for, ended %'
        UNION
        SELECT d.id FROM tree t
        JOIN onboarding.jobs d ON d.after_job_id = t.id AND d.state = 'cancelled'
          AND d.last_error LIKE 'job ' || d.after_job_id || ', which this one waits for, ended %'
    )
    SELECT t.id FROM tree t;
END;
$$;
