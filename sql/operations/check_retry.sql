-- Refuses a retry of a job that has not ended without success, whose predecessor is not completed, that the provider may
-- have and cannot tell, or whose payload is wrong or may have been sent otherwise.
-- Callers: `retry`, which has locked the job.
-- Locks: none.
-- Errors: 55000 where the job cannot be retried; 23514 for a wrong payload.
CREATE OR REPLACE FUNCTION onboarding.check_retry(job onboarding.jobs, new_payload jsonb, may_exist boolean, is_new boolean)
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    kind onboarding.kinds;
    after_state text;
BEGIN
    IF job.state NOT IN ('failed', 'cancelled') THEN
        RAISE EXCEPTION 'onboarding: job % is %; only a failed or cancelled job can be retried', job.id, job.state
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    SELECT * INTO kind FROM onboarding.kinds k WHERE k.kind = job.kind;
    IF job.after_job_id IS NOT NULL THEN
        SELECT a.state INTO after_state FROM onboarding.jobs a WHERE a.id = job.after_job_id;
        IF after_state <> 'completed' THEN
            RAISE EXCEPTION 'onboarding: job % waits for job %, which is %; retry that one first', job.id, job.after_job_id, after_state
                USING ERRCODE = 'object_not_in_prerequisite_state';
        END IF;
    END IF;
    IF new_payload IS NOT NULL THEN
        IF jsonb_typeof(new_payload) <> 'object' THEN PERFORM onboarding.refuse('payload', 'must be a JSON object'); END IF;
        IF octet_length(new_payload::text) > 134217728 THEN PERFORM onboarding.refuse('payload', 'is larger than 128 MiB'); END IF;
        PERFORM onboarding.check_payload(job.kind, kind.fields, new_payload);
    END IF;
    IF may_exist AND kind.lost_answer = 'none' THEN
        RAISE EXCEPTION 'onboarding: job % may have been sent and its provider cannot tell; it cannot be retried', job.id
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    IF may_exist AND is_new THEN
        RAISE EXCEPTION 'onboarding: job % may exist at the provider as it was sent; retry it without a payload and cancel it: that looks it up', job.id
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
END;
$$;
