-- The state in which a new job waits for another: `available` where that one has completed already, else `blocked`.
-- `parent_kind`, where it is given: the kind whose record's id the job needs in `parent_parameter`.
-- Callers: `check_new_job`.
-- Locks: none.
-- Errors: 23514 for `after_job_id` without such a job, and for `parameters` that only another kind of job could complete.
CREATE OR REPLACE FUNCTION onboarding.state_after_job(after_id bigint, parent_kind text, parent_parameter text) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    after_state text;
    after_kind text;
BEGIN
    SELECT j.state, j.kind INTO after_state, after_kind FROM onboarding.jobs j WHERE j.id = after_id;
    IF NOT FOUND THEN
        PERFORM onboarding.refuse('after_job_id', format('%s is not a job', after_id));
    END IF;
    IF after_kind <> parent_kind THEN
        PERFORM onboarding.refuse('parameters', format('lacks %s, and job %s in after_job_id is no %s that could give it',
            parent_parameter, after_id, parent_kind));
    END IF;
    RETURN CASE WHEN after_state = 'completed' THEN 'available' ELSE 'blocked' END;
END;
$$;
