-- Resolves many uncertain jobs by one call: `verdicts` is a JSON array of objects with `job_id`, `verdict` and, for
-- `happened`, `provider_id`. Each stands alone: one row per verdict says what became of its job, or what is wrong with
-- it.
-- Callers: operators; queries/jobs_resolve.sql.
-- Locks: the jobs in the order of their ids.
-- Errors: 23514 for verdicts that are not such an array.
CREATE OR REPLACE FUNCTION onboarding.resolve_jobs(verdicts jsonb, note text) RETURNS TABLE (job_id bigint, state text, problem text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    item record;
BEGIN
    IF coalesce(jsonb_typeof(verdicts), '') <> 'array' OR jsonb_array_length(verdicts) > 10000 THEN
        PERFORM onboarding.refuse('verdicts', 'must be a JSON array of at most 10000 objects with job_id, verdict and provider_id');
    END IF;
    FOR item IN
        SELECT v.job_id, v.verdict, v.provider_id
        FROM jsonb_to_recordset(verdicts) AS v (job_id bigint, verdict text, provider_id text) ORDER BY v.job_id
    LOOP
        resolve_jobs.job_id := item.job_id; resolve_jobs.state := NULL; resolve_jobs.problem := NULL;
        BEGIN
            resolve_jobs.state := onboarding.resolve(item.job_id, item.verdict, item.provider_id, note);
        EXCEPTION WHEN check_violation OR object_not_in_prerequisite_state OR no_data_found THEN
            resolve_jobs.problem := SQLERRM;
        END;
        RETURN NEXT;
    END LOOP;
END;
$$;
