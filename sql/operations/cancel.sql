-- Cancels a job and returns its state afterwards. From then on nothing that creates is sent for it: its next claim
-- finds out what may exist at the provider, and the job ends `completed` if the record is there, else `cancelled`, or
-- `uncertain` where nothing can tell. A call that is running is not interrupted.
-- Callers: operators; queries/job_cancel.sql.
-- Locks: the job, then its dependents.
-- Errors: P0002 without such a job; 55000 for a job that has ended or is uncertain.
CREATE OR REPLACE FUNCTION onboarding.cancel(job_id bigint, reason text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    job onboarding.jobs := onboarding.lock_job(job_id);
    why text := left(cancel.reason, 500);
    new_state text;
BEGIN
    IF job.state IN ('completed', 'failed', 'cancelled') THEN
        RAISE EXCEPTION 'onboarding: job % is % already', job.id, job.state USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    IF job.state = 'uncertain' THEN
        RAISE EXCEPTION 'onboarding: job % is uncertain; say what happened with resolve()', job.id
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    IF job.state = 'running' OR job.last_sent_at IS NOT NULL THEN
        UPDATE onboarding.jobs j
        SET cancel_requested_at = now(), updated_at = now(),
            state = CASE WHEN j.state = 'running' THEN 'running' ELSE 'available' END,
            run_at = CASE WHEN j.state = 'running' THEN j.run_at ELSE least(j.run_at, now()) END
        WHERE j.id = job.id
        RETURNING j.state INTO new_state;
        PERFORM onboarding.log_state_change(job.id, job.state, new_state, 'cancel requested: ' || coalesce(why, ''));
        PERFORM pg_notify('onboarding_jobs', '');
        RETURN new_state;
    END IF;
    UPDATE onboarding.jobs j
    SET state = 'cancelled', cancel_requested_at = now(), finished_at = now(), updated_at = now(),
        last_error = 'cancelled' || coalesce(': ' || why, '')
    WHERE j.id = job.id;
    PERFORM onboarding.log_state_change(job.id, job.state, 'cancelled', why);
    PERFORM onboarding.notify_event(job.id, 'cancelled');
    PERFORM onboarding.settle_dependents(ARRAY[job.id]);
    RETURN 'cancelled';
END;
$$;
