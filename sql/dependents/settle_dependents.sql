-- Applies the end of these jobs to those that wait for them: a completion releases, anything else cancels, and so on
-- down the chain. What somebody has locked is left to `repair_ends`.
-- Callers: `cancel`, `check_dependent`, `complete`, `expire_jobs`, `repair_blocked`, `repair_ends`, `resolve`,
-- `settle_late_successes`.
-- Locks: the dependents level by level, then the first jobs of order keys; passes by those that are locked.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.settle_dependents(ended bigint[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
    cancelled bigint[];
    released boolean;
BEGIN
    WHILE ended IS NOT NULL LOOP
        WITH free AS (
            SELECT j.id, a.id AS after_id, a.state, a.state = 'completed' OR j.last_sent_at IS NOT NULL AS goes_on
            FROM onboarding.jobs j
            JOIN onboarding.jobs a ON a.id = j.after_job_id AND a.state IN ('completed', 'failed', 'cancelled')
            WHERE j.after_job_id = ANY (ended) AND coalesce(j.state, '') = 'blocked'
            FOR NO KEY UPDATE OF j SKIP LOCKED
        ), settled AS (
            UPDATE onboarding.jobs j
            -- One that is in doubt, in a database from a backup, is looked up before it is cancelled.
            SET state = CASE WHEN f.goes_on THEN 'available' ELSE 'cancelled' END,
                run_at = CASE WHEN f.goes_on THEN greatest(j.run_at, now()) ELSE j.run_at END,
                finished_at = CASE WHEN f.goes_on THEN NULL ELSE now() END,
                cancel_requested_at = CASE WHEN f.state = 'completed' THEN j.cancel_requested_at ELSE now() END,
                last_error = CASE WHEN f.state = 'completed' THEN j.last_error
                    ELSE format('job %s, which this one waits for, ended %s', f.after_id, f.state) END,
                updated_at = now()
            FROM free f
            WHERE j.id = ANY (ARRAY[f.id])
            RETURNING j.id, j.state, j.last_error, f.after_id, f.state AS after_state
        ), logged AS (
            INSERT INTO onboarding.state_changes (job_id, from_state, to_state, actor, reason)
            SELECT s.id, 'blocked', s.state, session_user,
                CASE WHEN s.after_state = 'completed' THEN format('job %s completed', s.after_id) ELSE s.last_error END
            FROM settled s
            RETURNING job_id, to_state
        )
        SELECT array_agg(l.job_id) FILTER (WHERE l.to_state = 'cancelled'), coalesce(bool_or(l.to_state = 'available'), false)
        INTO cancelled, released
        FROM logged l;
        IF released THEN PERFORM onboarding.wake_all(); END IF;
        PERFORM onboarding.notify_event(c.id, 'cancelled') FROM unnest(cancelled) AS c (id);
        INSERT INTO onboarding.unsettled_ends (job_id)
        SELECT DISTINCT a.id
        FROM onboarding.jobs j
        JOIN onboarding.jobs a ON a.id = j.after_job_id AND a.state IN ('completed', 'failed', 'cancelled')
        WHERE j.after_job_id = ANY (ended) AND coalesce(j.state, '') = 'blocked';
        PERFORM onboarding.advance_order_keys(ended);
        ended := cancelled;
    END LOOP;
END;
$$;
