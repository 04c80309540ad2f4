-- Takes over jobs of workers whose lease has ended, up to `max_jobs`, and returns how many. Each becomes available
-- again; the worker that claims it next decides whether it is sent once more, looked up or given up. A request may have
-- been sent until now: since the claim where a key makes a resend harmless, else since the worker's mark (`mark_sent`).
-- Looks at the jobs of workers that are known to be gone; `thoroughly` looks at all running jobs, and so finds those of
-- workers without a lease and `suspects`: old claims of the reaper (`old_claims`) that it does not hold, for which no
-- lease would ever end. They are named one by one, so that a call which arrives late takes nothing that was claimed
-- meanwhile.
-- Callers: queries/take_over.sql.
-- Locks: the jobs in the order of their ids, passing by those that are locked; then leases that ended long ago, or the
-- row of `maintenance`, if they are free.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.take_over(reaper text, suspects bigint[], max_jobs integer, thoroughly boolean) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
DECLARE
    taken integer;
    gone text[];
    since timestamptz := '-infinity';
BEGIN
    IF NOT thoroughly THEN
        gone := ARRAY(SELECT w.id FROM onboarding.worker_leases w WHERE w.lease_expires_at <= clock_timestamp());
        IF gone = '{}' THEN RETURN 0; END IF;
        since := (SELECT m.running_since FROM onboarding.maintenance m);
    END IF;
    WITH lost AS (
        SELECT j.id, j.claimed_by, j.claimed_at,
            -- Whatever the step says: one that cannot be looked up may have been sent.
            (k.lost_answer = 'same_key' OR j.marked_at IS NOT NULL) IS TRUE AS is_sent
        FROM onboarding.providers p
        JOIN onboarding.jobs j ON j.provider = p.provider AND j.claimed_at >= since
        JOIN onboarding.kinds k ON k.kind = j.kind
        WHERE j.state = 'running' AND (thoroughly OR j.claimed_by = ANY (gone)) AND (
            NOT EXISTS (
                SELECT 1 FROM onboarding.worker_leases w WHERE w.id = j.claimed_by AND w.lease_expires_at > clock_timestamp())
            OR (j.claimed_by = reaper AND j.claim_token = ANY (suspects)))
        ORDER BY j.id
        LIMIT max_jobs
        FOR NO KEY UPDATE OF j SKIP LOCKED
    ), freed AS (
        UPDATE onboarding.jobs j
        SET state = 'available', updated_at = now(), lease_expires_at = NULL,
            backoff_step = least(j.backoff_step + 1, 1000),
            attempt = j.attempt - CASE WHEN j.step = 'create' AND NOT l.is_sent THEN 1 ELSE 0 END,
            -- Spread, so that what a worker held does not come back all at once; longer for a job that keeps losing its worker.
            run_at = now() + random() * least(interval '1 s' * 2 ^ least(j.backoff_step, 12), interval '1 hour'),
            last_outcome = 'lost', last_error = 'its worker is gone: taken over',
            first_sent_at = CASE WHEN l.is_sent THEN coalesce(j.first_sent_at, j.claimed_at) ELSE j.first_sent_at END,
            last_sent_at = CASE WHEN l.is_sent THEN clock_timestamp() ELSE j.last_sent_at END,
            last_create_status = CASE WHEN l.is_sent AND j.step = 'create' THEN NULL ELSE j.last_create_status END
        FROM lost l
        WHERE j.id = ANY (ARRAY[l.id])
        RETURNING j.id, j.claim_token, j.claimed_at, j.marked_at, j.idempotency_key, j.attempt, j.step, j.claimed_by,
            j.run_at, j.last_error, j.body_sha256
    ), journal AS (
        INSERT INTO onboarding.attempts (job_id, claim_token, claimed_at, sent_at, idempotency_key, attempt, step,
            worker, outcome, next_state, next_step, next_run_at, reason, body_sha256)
        SELECT f.id, f.claim_token, f.claimed_at, f.marked_at,
            f.idempotency_key, f.attempt, f.step, f.claimed_by, 'lost', 'available', f.step, f.run_at, f.last_error,
            f.body_sha256
        FROM freed f
        ON CONFLICT DO NOTHING
    )
    SELECT count(*) INTO taken FROM freed;
    IF taken > 0 THEN
        PERFORM pg_notify('onboarding_jobs', '');
    ELSE
        PERFORM onboarding.forget_workers(reaper);
    END IF;
    IF thoroughly THEN
        PERFORM 1 FROM onboarding.maintenance FOR NO KEY UPDATE SKIP LOCKED;
        IF FOUND THEN
            -- A clock that went back leaves running jobs before it.
            UPDATE onboarding.maintenance m SET running_since = f.at
            FROM (SELECT onboarding.first_running('-infinity') AS at) AS f WHERE m.running_since > f.at;
        END IF;
    END IF;
    RETURN taken;
END;
$$;
