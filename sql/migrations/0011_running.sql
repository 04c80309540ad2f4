-- What looks for running jobs no longer walks those that have ended. As long as some transaction holds an old snapshot, a
-- long report or a dump, each job that ran leaves an entry in the index of the running ones that cannot be vacuumed.
INSERT INTO onboarding.migrations (version, name) VALUES (11, 'running');

-- By the time of the claim, so that a look can begin where the oldest running job is. And new entries come at the end of
-- each provider's, not among the workers' names.
DROP INDEX onboarding.jobs_running_idx;
CREATE INDEX jobs_running_idx ON onboarding.jobs (provider, claimed_at) WHERE state = 'running';

-- No running job was claimed before this; a minute old at least, so that no claim commits behind it.
ALTER TABLE onboarding.maintenance ADD COLUMN running_since timestamptz NOT NULL DEFAULT '-infinity';

-- Where it belongs, as far as jobs tell that were claimed at `start` or later.
CREATE FUNCTION onboarding.first_running(start timestamptz) RETURNS timestamptz
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off AS $$
    SELECT least(now() - interval '1 minute', min(first.claimed_at))
    FROM onboarding.providers p CROSS JOIN LATERAL (
        SELECT j.claimed_at FROM onboarding.jobs j
        WHERE j.provider = p.provider AND j.state = 'running' AND j.claimed_at >= start
        ORDER BY j.claimed_at LIMIT 1) AS first;
$$;

-- Whether jobs of a worker are running.
CREATE FUNCTION onboarding.has_running(worker_id text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off AS $$
    SELECT EXISTS (
        SELECT 1 FROM onboarding.providers p CROSS JOIN LATERAL (
            SELECT 1 FROM onboarding.jobs j
            WHERE j.provider = p.provider AND j.state = 'running' AND j.claimed_by = worker_id
              AND j.claimed_at >= (SELECT m.running_since FROM onboarding.maintenance m)
            LIMIT 1) AS running);
$$;

-- Signs a worker off. Jobs that it still holds are taken over at once: for them its row stays, with a lease that never was.
CREATE OR REPLACE FUNCTION onboarding.remove_worker(worker_id text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF onboarding.has_running(worker_id) THEN
        UPDATE onboarding.worker_leases w SET lease_expires_at = '-infinity', draining = true WHERE w.id = worker_id;
    ELSE
        DELETE FROM onboarding.worker_leases w WHERE w.id = worker_id;
    END IF;
END;
$$;

CREATE OR REPLACE FUNCTION onboarding.old_claims(worker_id text) RETURNS SETOF bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
    SELECT j.claim_token FROM onboarding.providers p
    JOIN onboarding.jobs j ON j.provider = p.provider AND j.claimed_at >= (SELECT m.running_since FROM onboarding.maintenance m)
    WHERE j.state = 'running' AND j.claimed_by = worker_id AND j.claimed_at < clock_timestamp() - interval '10 s';
$$;

-- How many calls a provider with the row `p` may start now, or why none and for how long; no wait where a call must end
-- first. A stored moment that lies further ahead than it can have been set is of a clock that has been set back since: it
-- counts as passed.
CREATE FUNCTION onboarding.allowance(
    p onboarding.providers, wanted integer, t timestamptz, OUT allowed integer, OUT hint text, OUT wait_ms integer,
    OUT probing boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
    pace record;
    cell interval;
    free_at timestamptz;
    in_flight integer;
BEGIN
    allowed := 0; probing := false; wait_ms := 1000;
    IF p.paused_until > t THEN
        hint := 'paused'; wait_ms := onboarding.milliseconds_until(p.paused_until, t); RETURN;
    END IF;
    IF p.held_until > t AND onboarding.hold_end(p, t) IS NOT NULL THEN
        hint := 'held'; wait_ms := onboarding.milliseconds_until(p.held_until, t); RETURN;
    END IF;
    allowed := wanted;
    IF p.circuit <> 'closed' THEN
        IF p.circuit_probe_at > t AND p.circuit_probe_at <= t + interval '5 min' THEN
            allowed := 0; hint := 'circuit'; wait_ms := onboarding.milliseconds_until(p.circuit_probe_at, t); RETURN;
        END IF;
        probing := true; allowed := least(allowed, 1);
    END IF;
    in_flight := CASE WHEN probing OR p.call_window IS NULL THEN p.max_in_flight
        ELSE least(p.max_in_flight, floor(onboarding.trial_window(p, t))) END;
    IF in_flight IS NOT NULL THEN
        -- Counted from the rows themselves: a counter would leak when a worker dies.
        allowed := least(allowed, in_flight - (
            SELECT count(*) FROM onboarding.jobs j
            WHERE j.provider = p.provider AND j.state = 'running'
              AND j.claimed_at >= (SELECT m.running_since FROM onboarding.maintenance m)));
        IF allowed <= 0 THEN allowed := 0; hint := 'in_flight'; wait_ms := NULL; RETURN; END IF;
    END IF;
    IF p.rate_per_second IS NULL AND p.adaptive_rate IS NULL THEN RETURN; END IF;
    SELECT * INTO pace FROM onboarding.pace(p, t);
    IF pace.rate IS NOT NULL THEN
        cell := onboarding.rate_cell(pace.rate, pace.burst);
        free_at := greatest(onboarding.booked_until(p, t), t);
        allowed := least(allowed, 1 + floor(extract(epoch FROM t - free_at + cell * (pace.burst - 1))
            / extract(epoch FROM cell))::integer);
        IF allowed <= 0 THEN
            allowed := 0; hint := 'rate';
            wait_ms := onboarding.milliseconds_until(free_at - cell * (pace.burst - 1), t);
        END IF;
    END IF;
END;
$$;

-- The same for `provider_name`, with its row locked where a limit holds, so that claims of all workers are counted one after
-- the other. Not where the answer is no: a lock is a write, and each look at a limit would wait for the disk.
CREATE OR REPLACE FUNCTION onboarding.permits(
    provider_name text, wanted integer, OUT allowed integer, OUT hint text, OUT wait_ms integer, OUT counted boolean,
    OUT probing boolean)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
    p onboarding.providers;
    -- Not now(): this transaction may have waited for its turn.
    t timestamptz := clock_timestamp();
BEGIN
    allowed := 0; counted := false; probing := false; wait_ms := 1000;
    SELECT * INTO p FROM onboarding.providers WHERE provider = provider_name;
    IF NOT FOUND THEN hint := 'unknown'; RETURN; END IF;
    SELECT a.allowed, a.hint, a.wait_ms, a.probing INTO allowed, hint, wait_ms, probing FROM onboarding.allowance(p, wanted, t) a;
    counted := p.max_in_flight IS NOT NULL OR p.rate_per_second IS NOT NULL OR p.adaptive_rate IS NOT NULL
        OR p.circuit <> 'closed' OR (p.call_window IS NOT NULL AND onboarding.trial_window(p, t) IS NOT NULL);
    IF allowed = 0 OR NOT counted THEN RETURN; END IF;
    SELECT * INTO p FROM onboarding.providers WHERE provider = provider_name FOR NO KEY UPDATE;
    SELECT a.allowed, a.hint, a.wait_ms, a.probing INTO allowed, hint, wait_ms, probing
    FROM onboarding.allowance(p, wanted, clock_timestamp()) a;
END;
$$;

-- Takes over jobs of workers whose lease has ended, up to `max_jobs`, and returns how many. Each becomes available again;
-- whether it is sent once more, looked up or given up is for the worker that claims it next.
-- A request may have been sent until now: by the claim where a key makes a resend harmless, else by the worker's mark.
-- Looks at the jobs of workers that are known to be gone; and thoroughly, at all that are running: then also at those of
-- workers that nobody knows, and at `suspects`, old claims of the reaper (`old_claims`) that it does not hold, for no lease
-- would ever end for those. They are named one by one, so that a call which arrives late takes nothing that was claimed
-- meanwhile. Passes by what somebody else has locked.
CREATE FUNCTION onboarding.take_over(reaper text, suspects bigint[], max_jobs integer, thoroughly boolean) RETURNS integer
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
        DELETE FROM onboarding.worker_leases w
        WHERE w.id = ANY (ARRAY(
            SELECT l.id FROM onboarding.worker_leases l
            WHERE l.lease_expires_at < clock_timestamp() - interval '1 minute' AND l.id <> reaper
              AND NOT onboarding.has_running(l.id)
            FOR UPDATE SKIP LOCKED));
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

-- For workers of the version before: every look is thorough.
CREATE OR REPLACE FUNCTION onboarding.take_over(reaper text, suspects bigint[], max_jobs integer) RETURNS integer
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT onboarding.take_over(reaper, suspects, max_jobs, true);
$$;

CREATE OR REPLACE FUNCTION onboarding.maintain(
    max_jobs integer, OUT partitions_made integer, OUT partitions_dropped integer, OUT jobs_deleted integer
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' SET enable_seqscan = off SET jit = off AS $$
DECLARE
    settings onboarding.maintenance;
    place record;
BEGIN
    SELECT * INTO settings FROM onboarding.maintenance FOR UPDATE SKIP LOCKED;
    IF NOT FOUND OR settings.last_run_at > clock_timestamp() - interval '10 s' THEN RETURN; END IF;
    UPDATE onboarding.maintenance
    SET last_run_at = clock_timestamp(), running_since = onboarding.first_running(settings.running_since);
    PERFORM onboarding.count_ended();
    partitions_made := 0; partitions_dropped := 0; jobs_deleted := 0;
    FOR place IN
        SELECT p.parent, now() + ahead * interval '1 month' AS month
        FROM unnest(ARRAY['attempts', 'state_changes']) AS p (parent) CROSS JOIN generate_series(0, 2) AS ahead
    LOOP
        IF onboarding.add_partition(place.parent, place.month) THEN partitions_made := partitions_made + 1; END IF;
    END LOOP;
    IF settings.keep_history IS NOT NULL THEN
        FOR place IN
            SELECT i.inhparent::regclass AS parent, i.inhrelid::regclass AS partition
            FROM pg_catalog.pg_inherits i
            WHERE i.inhparent IN ('onboarding.attempts'::regclass, 'onboarding.state_changes'::regclass)
              AND onboarding.partition_end(i.inhrelid) < now() - settings.keep_history
        LOOP
            -- Detached first, so that the parent is locked for a moment only.
            EXECUTE format('ALTER TABLE %s DETACH PARTITION %s', place.parent, place.partition);
            EXECUTE format('DROP TABLE %s', place.partition);
            partitions_dropped := partitions_dropped + 1;
        END LOOP;
    END IF;
    FOR place IN SELECT k.kind, k.provider, k.keep_finished FROM onboarding.kinds k WHERE k.keep_finished IS NOT NULL LOOP
        WITH old AS (
            SELECT j.id FROM onboarding.jobs j
            WHERE j.finished_at < now() - place.keep_finished AND j.provider = place.provider AND j.kind = place.kind
              -- One that others came after stays until they are gone.
              AND NOT EXISTS (SELECT 1 FROM onboarding.jobs d WHERE d.after_job_id = j.id)
            ORDER BY j.finished_at LIMIT max_jobs - jobs_deleted
            FOR UPDATE SKIP LOCKED
        ), evidence AS (
            DELETE FROM onboarding.late_successes l USING old o WHERE l.job_id = o.id
        ), gone AS (
            DELETE FROM onboarding.jobs j USING old o WHERE j.id = o.id RETURNING 1
        )
        SELECT jobs_deleted + count(*) INTO jobs_deleted FROM gone;
    END LOOP;
END;
$$;

REVOKE ALL ON FUNCTION onboarding.allowance, onboarding.first_running, onboarding.has_running,
    onboarding.take_over(text, bigint[], integer, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION onboarding.take_over(text, bigint[], integer, boolean) TO onboarding_worker;
