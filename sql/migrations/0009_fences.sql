-- Fences against what may be late, locked or unlucky: suspects instead of guesses, short lock waits, a second look for
-- blocked jobs.
INSERT INTO onboarding.migrations (version, name) VALUES (9, 'fences');

-- Tokens are random since the version before: a sequence can repeat numbers whose WAL was lost with a server.
DROP SEQUENCE onboarding.claim_tokens;

-- The tokens that `worker_id` has claimed some time ago. What it does not hold of them was lost on the way to it.
CREATE FUNCTION onboarding.old_claims(worker_id text) RETURNS SETOF bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off AS $$
    SELECT j.claim_token FROM onboarding.jobs j
    WHERE j.state = 'running' AND j.claimed_by = worker_id AND j.claimed_at < clock_timestamp() - interval '10 s';
$$;

-- Takes over jobs of workers whose lease has ended, up to `max_jobs`. What is known of each decides:
-- not sent → available; sent → as its kind's lost answers are treated. Returns how many.
-- `suspects` are old claims of the reaper (`old_claims`) that it does not hold: no lease would ever end for those. They
-- are named one by one, so that a call which arrives late takes nothing that was claimed meanwhile.
CREATE FUNCTION onboarding.take_over(reaper text, suspects bigint[], max_jobs integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
DECLARE
    lost record;
    ended bigint[] := '{}';
    taken integer := 0;
    mark text;
    next_state text;
    next_step text;
    why text;
    may_exist boolean;
BEGIN
    FOR lost IN
        SELECT j.*, k.lost_answer, onboarding.can_look_up(j) AS can_look_up
        FROM onboarding.jobs j
        JOIN onboarding.kinds k ON k.kind = j.kind
        WHERE j.state = 'running' AND (
            NOT EXISTS (
                SELECT 1 FROM onboarding.worker_leases w WHERE w.id = j.claimed_by AND w.lease_expires_at > clock_timestamp())
            OR (j.claimed_by = reaper AND j.claim_token = ANY (suspects)))
        ORDER BY j.id
        LIMIT max_jobs
        FOR NO KEY UPDATE OF j SKIP LOCKED
    LOOP
        may_exist := lost.first_sent_at IS NOT NULL;
        next_state := 'available';
        next_step := lost.step;
        why := 'its worker is gone: taken over';
        IF may_exist AND lost.step = 'create' THEN
            IF lost.lost_answer = 'none' THEN
                next_state := 'uncertain';
                why := 'its worker is gone; the request may have been sent and nothing can tell';
            ELSIF lost.lost_answer = 'look_up' THEN
                next_step := 'look_up';
                why := 'its worker is gone: look up before sending again';
            ELSIF lost.cancel_requested_at IS NOT NULL THEN
                IF lost.can_look_up THEN next_step := 'look_up'; ELSE next_state := 'uncertain'; END IF;
                why := 'cancelled; its worker is gone and the request may have been sent';
            ELSIF lost.attempt >= lost.max_attempts THEN
                next_step := 'look_up';
                IF NOT lost.can_look_up THEN next_state := 'uncertain'; END IF;
                why := 'its worker is gone and attempts are used up';
            END IF;
        ELSIF NOT may_exist AND lost.cancel_requested_at IS NOT NULL THEN
            next_state := 'cancelled';
            why := 'cancelled; its worker is gone and nothing was sent';
        END IF;
        UPDATE onboarding.jobs j
        SET state = next_state, step = next_step, updated_at = now(), lease_expires_at = NULL,
            backoff_step = least(j.backoff_step + 1, 1000),
            attempt = j.attempt - CASE WHEN j.step = 'create' AND NOT may_exist THEN 1 ELSE 0 END,
            -- The first loss runs again at once; a job that keeps losing its worker waits longer each time.
            run_at = now() + CASE WHEN lost.backoff_step < 2 THEN interval '0'
                ELSE least(interval '1 s' * (2 ^ least(lost.backoff_step, 12)), interval '1 hour') END,
            finished_at = CASE WHEN next_state = 'cancelled' THEN now() END,
            last_outcome = 'lost', last_error = why,
            last_create_status = CASE WHEN may_exist AND lost.step = 'create' THEN NULL ELSE j.last_create_status END,
            -- A worker that lives on may have sent for as long as it trusted its lease: until three seconds before its end;
            -- one that signed off, until then.
            last_sent_at = CASE WHEN lost.step = 'create' AND lost.last_sent_at >= lost.claimed_at
                THEN clock_timestamp() - CASE WHEN EXISTS (
                    SELECT 1 FROM onboarding.worker_leases w WHERE w.id = lost.claimed_by) THEN interval '3 s' ELSE interval '0' END
                ELSE j.last_sent_at END
        WHERE j.id = lost.id;
        INSERT INTO onboarding.attempts (job_id, claim_token, claimed_at, sent_at, idempotency_key, attempt, step,
            worker, outcome, next_state, next_step, next_run_at, reason, body_sha256)
        VALUES (lost.id, lost.claim_token, lost.claimed_at,
            CASE WHEN lost.lost_answer <> 'same_key' THEN lost.last_sent_at END, lost.idempotency_key, lost.attempt,
            lost.step, lost.claimed_by, 'lost', next_state, next_step, now(), why, lost.body_sha256)
        ON CONFLICT DO NOTHING;
        IF next_state <> 'available' THEN
            PERFORM onboarding.notify_event(lost.id, next_state);
            ended := ended || lost.id;
        END IF;
        taken := taken + 1;
    END LOOP;
    IF ended <> '{}' THEN
        PERFORM onboarding.settle_late_successes(ended);
        PERFORM onboarding.settle_dependents(ended);
    END IF;
    IF taken > 0 THEN PERFORM pg_notify('onboarding_jobs', ''); END IF;
    DELETE FROM onboarding.worker_leases w
    WHERE w.lease_expires_at < clock_timestamp() - interval '1 minute' AND w.id <> reaper;
    RETURN taken;
END;
$$;

-- For workers of the version before, which say what they hold and not what they lack: they get only others' jobs.
CREATE OR REPLACE FUNCTION onboarding.take_over(reaper text, max_jobs integer, held bigint[] DEFAULT NULL) RETURNS integer
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT onboarding.take_over(reaper, '{}'::bigint[], max_jobs);
$$;

-- Which of these jobs nobody has locked at this moment.
CREATE FUNCTION onboarding.unlocked_jobs(job_ids bigint[]) RETURNS SETOF bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off AS $$
    SELECT j.id FROM onboarding.jobs j WHERE j.id = ANY (job_ids) FOR NO KEY UPDATE SKIP LOCKED;
$$;

-- Jobs that wait for one that has ended, when the two met unseen: lets go or cancels them, up to `max_jobs` from the id
-- after `from_id` on. Returns the last id looked at, null at the end.
CREATE INDEX jobs_blocked_id_idx ON onboarding.jobs (id) WHERE state = 'blocked';
CREATE FUNCTION onboarding.repair_blocked(max_jobs integer, INOUT from_id bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET jit = off AS $$
DECLARE
    ended bigint[];
    looked integer;
BEGIN
    SELECT max(b.id), count(*), array_agg(DISTINCT a.id) FILTER (WHERE a.state IN ('completed', 'failed', 'cancelled'))
    INTO from_id, looked, ended
    FROM (
        SELECT j.id, j.after_job_id FROM onboarding.jobs j
        WHERE j.state = 'blocked' AND j.id > coalesce(from_id, 0) ORDER BY j.id LIMIT max_jobs) b
    JOIN onboarding.jobs a ON a.id = b.after_job_id;
    IF ended IS NOT NULL THEN PERFORM onboarding.settle_dependents(ended); END IF;
    IF looked < max_jobs THEN from_id := NULL; END IF;
END;
$$;

-- Why the job is not running now: one row a reason; none when nothing is in its way but a free slot.
CREATE OR REPLACE FUNCTION onboarding.why(job_id bigint) RETURNS TABLE (reason text, detail text, until timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    job onboarding.jobs;
    p onboarding.providers;
    running bigint;
    rate_free_at timestamptz;
    head record;
BEGIN
    SELECT * INTO job FROM onboarding.jobs j WHERE j.id = why.job_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'onboarding: % is not a job', coalesce(why.job_id::text, 'null') USING ERRCODE = 'no_data_found';
    END IF;
    IF job.state IN ('completed', 'failed', 'cancelled') THEN
        RETURN QUERY SELECT job.state, coalesce(job.last_error, 'it is done'), NULL::timestamptz;
        RETURN QUERY SELECT 'late_evidence', format('worker %s brought later that the provider has it as %s', l.worker, l.provider_id), NULL::timestamptz
            FROM onboarding.late_successes l WHERE l.job_id = job.id AND job.state <> 'completed';
        RETURN;
    ELSIF job.state = 'running' THEN
        IF EXISTS (SELECT 1 FROM onboarding.worker_leases w WHERE w.id = job.claimed_by AND w.lease_expires_at > now()) THEN
            RETURN QUERY SELECT 'running', format('worker %s has had it since %s', job.claimed_by, job.claimed_at), NULL::timestamptz;
            RETURN;
        END IF;
        RETURN QUERY SELECT 'running', format('worker %s had it from %s on and is gone: another takes it over', job.claimed_by, job.claimed_at), NULL::timestamptz;
        IF NOT EXISTS (SELECT 1 FROM onboarding.worker_leases w WHERE w.lease_expires_at > now()) THEN
            RETURN QUERY SELECT 'no_worker', 'no worker is alive to take it over: is one running?', NULL::timestamptz;
        END IF;
        RETURN;
    ELSIF job.state = 'uncertain' THEN
        RETURN QUERY SELECT 'uncertain', 'waits for resolve(' || job.id || ', ''happened'' or ''did_not_happen'', …)', NULL::timestamptz;
        RETURN;
    END IF;
    IF job.state = 'blocked' THEN
        RETURN QUERY SELECT 'blocked', format('waits for job %s, which is %s', a.id, a.state), NULL::timestamptz
            FROM onboarding.jobs a WHERE a.id = job.after_job_id;
    END IF;
    IF job.run_at > now() THEN RETURN QUERY SELECT 'not_due', 'not claimed before run_at', job.run_at; END IF;
    IF job.expires_at <= now() THEN RETURN QUERY SELECT 'expired', 'no attempt starts after expires_at', NULL::timestamptz; END IF;
    SELECT * INTO p FROM onboarding.providers x WHERE x.provider = job.provider;
    IF p.paused_until > now() THEN
        RETURN QUERY SELECT 'paused', coalesce('provider paused: ' || p.pause_reason, 'provider paused'), p.paused_until;
    END IF;
    IF p.held_until > now() THEN RETURN QUERY SELECT 'held', 'the provider asked for patience', p.held_until; END IF;
    IF p.circuit <> 'closed' THEN
        RETURN QUERY SELECT 'circuit_open', p.circuit_reason, p.circuit_probe_at;
    END IF;
    IF p.max_in_flight IS NOT NULL THEN
        SELECT count(*) INTO running FROM onboarding.jobs j WHERE j.provider = job.provider AND j.state = 'running';
        IF running >= p.max_in_flight THEN
            RETURN QUERY SELECT 'concurrency_limit', format('%s of %s calls are in flight', running, p.max_in_flight), NULL::timestamptz;
        END IF;
    END IF;
    -- When the next call is allowed, as `permits` reckons: a burst may be ahead of its time.
    rate_free_at := p.rate_due_at - onboarding.rate_cell(p.rate_per_second, p.burst) * (coalesce(p.burst, 1) - 1);
    IF rate_free_at > now() THEN
        RETURN QUERY SELECT 'rate_limit', format('%s calls a second are used up', p.rate_per_second), rate_free_at;
    END IF;
    IF job.order_key IS NOT NULL THEN
        FOR head IN
            SELECT o.id, o.state FROM onboarding.jobs o
            WHERE o.provider = job.provider AND o.order_key = job.order_key AND o.id <> job.id
              AND o.state IN ('blocked', 'available', 'running', 'waiting', 'uncertain')
              AND (o.id < job.id OR o.state = 'running')
            ORDER BY o.id LIMIT 1
        LOOP
            RETURN QUERY SELECT 'order', format('job %s of the same order_key is %s', head.id, head.state), NULL::timestamptz;
        END LOOP;
    END IF;
    IF NOT EXISTS (SELECT 1 FROM onboarding.worker_leases w WHERE w.lease_expires_at > now() AND job.provider = ANY (w.providers)) THEN
        RETURN QUERY SELECT 'no_worker', format('no live worker serves %s: is one running, with its credentials?', job.provider), NULL::timestamptz;
    END IF;
END;
$$;

REVOKE ALL ON FUNCTION onboarding.old_claims, onboarding.unlocked_jobs, onboarding.repair_blocked,
    onboarding.take_over(text, bigint[], integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION onboarding.old_claims, onboarding.unlocked_jobs, onboarding.repair_blocked,
    onboarding.take_over(text, bigint[], integer) TO onboarding_worker;
