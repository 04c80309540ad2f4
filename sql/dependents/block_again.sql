-- Lets cancelled jobs wait again for the jobs that they wait for.
-- Callers: `retry`, which has locked the first of those.
-- Locks: the cancelled jobs.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.block_again(job_ids bigint[], reason text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    WITH blocked AS (
        UPDATE onboarding.jobs j
        SET state = 'blocked', attempt = 0, backoff_step = 0, cancel_requested_at = NULL, finished_at = NULL,
            last_error = NULL, run_at = greatest(j.run_at, now()), updated_at = now(),
            expires_at = CASE WHEN j.expires_at <= now() THEN NULL ELSE j.expires_at END,
            is_behind = j.order_key IS NOT NULL AND EXISTS (
                SELECT 1 FROM onboarding.jobs o
                WHERE o.provider = j.provider AND o.order_key = j.order_key AND o.id < j.id
                  AND (o.state IN ('blocked', 'available', 'running', 'waiting', 'uncertain') OR o.id = ANY (job_ids)))
        WHERE j.id = ANY (job_ids) AND j.state = 'cancelled'
        RETURNING j.id, j.after_job_id
    )
    INSERT INTO onboarding.state_changes (job_id, from_state, to_state, actor, reason)
    SELECT b.id, 'cancelled', 'blocked', session_user,
        format('retry of job %s', b.after_job_id) || coalesce(': ' || block_again.reason, '')
    FROM blocked b;
END;
$$;
