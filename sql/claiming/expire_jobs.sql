-- Fails jobs whose time is over and that nobody can have sent, up to `max_jobs`, and returns how many. A job that may
-- have been sent is claimed once more, to find out what happened.
-- Callers: queries/expire_jobs.sql.
-- Locks: the jobs, passing by those that are locked; then their dependents (`settle_dependents`).
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.expire_jobs(max_jobs integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
    ended bigint[];
BEGIN
    WITH expired AS (
        UPDATE onboarding.jobs j
        SET state = 'failed', finished_at = now(), updated_at = now(), last_error = 'expired before it could run'
        WHERE j.id = ANY (ARRAY(
            SELECT e.id FROM onboarding.jobs e
            WHERE e.state = 'available' AND e.last_sent_at IS NULL AND e.expires_at <= now()
            ORDER BY e.expires_at LIMIT max_jobs FOR NO KEY UPDATE SKIP LOCKED))
        RETURNING j.id, j.last_error
    ), logged AS (
        INSERT INTO onboarding.state_changes (job_id, from_state, to_state, actor, reason)
        SELECT x.id, 'available', 'failed', session_user, x.last_error FROM expired x
        RETURNING job_id
    )
    SELECT array_agg(l.job_id) FROM logged l CROSS JOIN LATERAL onboarding.notify_event(l.job_id, 'failed') INTO ended;
    IF ended IS NULL THEN RETURN 0; END IF;
    PERFORM onboarding.settle_dependents(ended);
    RETURN cardinality(ended);
END;
$$;
