-- Claims, leases and what happens to the jobs of a worker that is gone.
INSERT INTO onboarding.migrations (version, name) VALUES (3, 'claims');

-- How many calls `provider_name` may start now, or why none and for how long. The row is locked
-- where a limit holds, so that claims of all workers are counted one after the other.
CREATE FUNCTION onboarding.permits(
    provider_name text, wanted integer, OUT allowed integer, OUT hint text, OUT wait_ms integer, OUT counted boolean,
    OUT probing boolean)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
    p onboarding.providers;
    -- Not now(): this transaction may have waited for the lock.
    t timestamptz := clock_timestamp();
    cell interval;
    free_at timestamptz;
BEGIN
    allowed := 0; counted := false; probing := false; wait_ms := 1000;
    SELECT * INTO p FROM onboarding.providers WHERE provider = provider_name;
    IF NOT FOUND THEN hint := 'unknown'; RETURN; END IF;
    IF p.max_in_flight IS NOT NULL OR p.rate_per_second IS NOT NULL OR p.circuit <> 'closed' THEN
        SELECT * INTO p FROM onboarding.providers WHERE provider = provider_name FOR NO KEY UPDATE;
        t := clock_timestamp();
        counted := true;
    END IF;
    IF p.paused_until > t THEN
        hint := 'paused'; wait_ms := onboarding.milliseconds_until(p.paused_until, t); RETURN;
    END IF;
    IF p.held_until > t THEN
        hint := 'held'; wait_ms := onboarding.milliseconds_until(p.held_until, t); RETURN;
    END IF;
    allowed := wanted;
    IF p.circuit <> 'closed' THEN
        IF p.circuit_probe_at > t THEN
            allowed := 0; hint := 'circuit'; wait_ms := onboarding.milliseconds_until(p.circuit_probe_at, t); RETURN;
        END IF;
        probing := true; allowed := least(allowed, 1);
    END IF;
    IF p.max_in_flight IS NOT NULL THEN
        -- Counted from the rows themselves: a counter would leak when a worker dies.
        allowed := least(allowed, p.max_in_flight - (
            SELECT count(*) FROM onboarding.jobs j WHERE j.provider = provider_name AND j.state = 'running'));
        IF allowed <= 0 THEN allowed := 0; hint := 'in_flight'; wait_ms := 20; RETURN; END IF;
    END IF;
    IF p.rate_per_second IS NOT NULL THEN
        cell := onboarding.rate_cell(p.rate_per_second, p.burst);
        free_at := greatest(coalesce(p.rate_due_at, t), t);
        allowed := least(allowed, 1 + floor(extract(epoch FROM t - free_at + cell * (coalesce(p.burst, 1) - 1))
            / extract(epoch FROM cell))::integer);
        IF allowed <= 0 THEN
            allowed := 0; hint := 'rate';
            wait_ms := onboarding.milliseconds_until(free_at - cell * (coalesce(p.burst, 1) - 1), t);
        END IF;
    END IF;
END;
$$;

-- The time that one call takes up at the given rate. Without a burst calls are spaced a little wider
-- than the rate asks, so that what travels at different speeds still arrives below it.
CREATE FUNCTION onboarding.rate_cell(rate double precision, burst integer) RETURNS interval
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT make_interval(secs => CASE WHEN coalesce(burst, 1) = 1 THEN 1.06 ELSE 1 END / rate);
$$;

CREATE FUNCTION onboarding.milliseconds_until(moment timestamptz, t timestamptz) RETURNS integer
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN moment > t + interval '1 hour' THEN 3600000
        ELSE greatest(1, ceil(extract(epoch FROM moment - t) * 1000))::integer END;
$$;

-- Claims up to `wanted` due jobs of one provider for one live worker.
--
-- The cursor arrays say where to go on, one entry a priority: jobs at or before (run_at, id) were
-- claimed already, and dead index entries in front of them are not walked again however long some
-- transaction keeps them from being vacuumed. Null arrays start from the beginning of every priority.
-- `byte_budget` bounds the sum of the payloads; one that is larger may come alone, up to `single_budget`.
-- One row a job; when there is none, one row with a null id that says why and when to come back.
CREATE FUNCTION onboarding.claim(
    worker_id text, provider_name text, wanted integer, byte_budget bigint, single_budget bigint, lease_ms integer,
    from_priority smallint[] DEFAULT NULL, from_run_at timestamptz[] DEFAULT NULL, from_id bigint[] DEFAULT NULL)
RETURNS TABLE (
    id bigint, claim_token bigint, kind text, step text, attempt smallint, max_attempts smallint,
    backoff_step smallint, idempotency_key text, payload text, payload_bytes integer, body_sha256 bytea,
    parameters text, after_provider_id text, traceparent text, remaining_ms bigint, first_sent_ms bigint,
    last_sent_ms bigint, last_create_status integer, evidence_id text, evidence_status text,
    claimed_at text, priority smallint, run_at text, hint text, wait_ms integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- The plans are pinned: whatever the statistics say, the claim walks its index in order.
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan SET jit = off AS $$
#variable_conflict use_column
DECLARE
    permit record;
    taken integer;
    marked text[];
    -- Not now(): the claim may have waited for its permits. Sends before it were those of earlier claims.
    t timestamptz;
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM onboarding.worker_leases w WHERE w.id = worker_id AND w.lease_expires_at > clock_timestamp())
    THEN
        claim.hint := 'fenced'; claim.wait_ms := 0; RETURN NEXT; RETURN;
    END IF;
    SELECT * INTO permit FROM onboarding.permits(provider_name, wanted);
    IF permit.allowed > 0 THEN
        -- Where no key makes a resend harmless, the worker writes a mark of its own just before it sends
        -- (`mark_sent`); elsewhere the claim alone is taken for a send.
        SELECT coalesce(array_agg(k.kind), '{}') INTO marked FROM onboarding.kinds k WHERE k.lost_answer <> 'same_key';
        t := clock_timestamp();
        RETURN QUERY
        WITH claimed AS (
            UPDATE onboarding.jobs j
            SET state = 'running', claim_token = nextval('onboarding.claim_tokens'), claimed_by = worker_id,
                claimed_at = clock_timestamp(), updated_at = t, lease_expires_at = t + lease_ms * interval '1 ms',
                attempt = j.attempt + CASE WHEN j.step = 'create' THEN 1 ELSE 0 END,
                first_sent_at = CASE WHEN j.step = 'create' AND j.kind <> ALL (marked)
                    THEN coalesce(j.first_sent_at, clock_timestamp()) ELSE j.first_sent_at END,
                last_sent_at = CASE WHEN j.step = 'create' AND j.kind <> ALL (marked)
                    THEN clock_timestamp() ELSE j.last_sent_at END,
                body_sha256 = coalesce(j.body_sha256, sha256(convert_to(j.payload::text, 'UTF8')))
            WHERE j.id = ANY (ARRAY(
                SELECT due.id FROM (
                    SELECT d.id, row_number() OVER () AS place, sum(d.payload_bytes) OVER (ROWS UNBOUNDED PRECEDING) AS bytes
                    FROM unnest(coalesce(from_priority, '{0,1,2,3,4,5,6,7,8,9}'::smallint[]),
                            from_run_at, from_id) AS c (priority, run_at, id)
                    CROSS JOIN LATERAL (
                        SELECT q.id, q.payload_bytes FROM onboarding.jobs q
                        WHERE q.state = 'available' AND NOT q.is_behind AND q.provider = provider_name AND q.priority = c.priority
                          AND q.run_at <= t
                          AND (q.run_at, q.id) > (coalesce(c.run_at, '-infinity'::timestamptz), coalesce(c.id, 0))
                          AND (q.expires_at IS NULL OR q.expires_at > t OR q.step = 'look_up')
                          AND (q.order_key IS NULL OR (
                              q.id = (SELECT o.id FROM onboarding.jobs o
                                  WHERE o.provider = provider_name AND o.order_key = q.order_key
                                    AND o.state IN ('blocked', 'available', 'running', 'waiting', 'uncertain')
                                  ORDER BY o.id LIMIT 1)
                              AND (SELECT o.id FROM onboarding.jobs o
                                  WHERE o.provider = provider_name AND o.order_key = q.order_key
                                    AND o.state = 'running' LIMIT 1) IS NULL))
                        ORDER BY q.run_at, q.id
                        LIMIT permit.allowed
                        FOR NO KEY UPDATE SKIP LOCKED) d
                    LIMIT permit.allowed) due
                WHERE due.bytes <= byte_budget OR (due.place = 1 AND due.bytes <= single_budget)))
            RETURNING j.*
        )
        SELECT c.id, c.claim_token, c.kind, c.step, c.attempt, c.max_attempts, c.backoff_step,
            c.idempotency_key::text, c.payload::text, c.payload_bytes, c.body_sha256, c.parameters::text,
            CASE WHEN c.after_job_id IS NOT NULL
                THEN (SELECT a.provider_id FROM onboarding.jobs a JOIN onboarding.kinds k ON k.parent_kind = a.kind
                    WHERE a.id = c.after_job_id AND k.kind = c.kind) END,
            c.traceparent, onboarding.milliseconds(c.expires_at - t),
            CASE WHEN c.first_sent_at < t THEN onboarding.milliseconds(t - c.first_sent_at) END,
            CASE WHEN c.last_sent_at < t THEN onboarding.milliseconds(t - c.last_sent_at) END,
            c.last_create_status, e.provider_id, e.provider_status, c.claimed_at::text, c.priority,
            -- In one form whatever the session's time zone, so that its order is the order of the texts.
            (c.run_at AT TIME ZONE 'UTC')::text || '+00',
            NULL::text, NULL::integer
        FROM claimed c
        LEFT JOIN LATERAL (
            SELECT l.provider_id, l.provider_status FROM onboarding.attempts l
            WHERE c.last_outcome IS NOT NULL AND l.job_id = c.id AND l.late AND l.provider_id IS NOT NULL
            ORDER BY l.finished_at DESC LIMIT 1) e ON true;
        GET DIAGNOSTICS taken = ROW_COUNT;
        IF taken > 0 THEN
            IF permit.counted THEN PERFORM onboarding.use_permits(provider_name, taken, permit.probing); END IF;
            RETURN;
        END IF;
        permit.hint := 'empty'; permit.wait_ms := NULL;
    END IF;
    claim.hint := permit.hint; claim.wait_ms := permit.wait_ms;
    RETURN NEXT;
END;
$$;

CREATE FUNCTION onboarding.milliseconds(span interval) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$
    SELECT (extract(epoch FROM span) * 1000)::bigint;
$$;

-- Books `taken` calls against the rate that holds now, forgets what refusals taught long ago, and notes which claim probes
-- an open circuit. Called by `claim`, which holds the provider's row.
CREATE FUNCTION onboarding.use_permits(provider_name text, taken integer, probing boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    p onboarding.providers;
    t timestamptz := clock_timestamp();
    pace record;
    is_forgotten boolean;
BEGIN
    SELECT * INTO p FROM onboarding.providers x WHERE x.provider = provider_name;
    SELECT * INTO pace FROM onboarding.pace(p, t);
    is_forgotten := p.adaptive_rate IS NOT NULL AND onboarding.learnt_rate(p, t) IS NULL;
    IF pace.rate IS NULL AND NOT probing AND NOT is_forgotten THEN RETURN; END IF;
    UPDATE onboarding.providers x
    SET rate_due_at = CASE WHEN pace.rate IS NOT NULL THEN greatest(onboarding.booked_until(p, t), t)
            + onboarding.rate_cell(pace.rate, pace.burst) * taken END,
        adaptive_rate = CASE WHEN is_forgotten THEN NULL ELSE x.adaptive_rate END,
        throttle_streak = CASE WHEN is_forgotten THEN 0 ELSE x.throttle_streak END,
        circuit = CASE WHEN probing THEN 'half_open' ELSE x.circuit END,
        circuit_probe_at = CASE WHEN probing THEN t + interval '60 s' ELSE x.circuit_probe_at END
    WHERE x.provider = provider_name;
    IF is_forgotten THEN
        INSERT INTO onboarding.provider_events (provider, actor, event, reason)
        VALUES (provider_name, session_user, 'unthrottled', 'no call was refused for long: no learnt rate any more');
    END IF;
END;
$$;

-- Writes, before the first byte leaves, that a request may have been sent. Returns the jobs that
-- are still this worker's; only those may be sent.
CREATE FUNCTION onboarding.mark_sent(worker_id text, job_ids bigint[], tokens bigint[]) RETURNS SETOF bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
    UPDATE onboarding.jobs j
    SET first_sent_at = coalesce(j.first_sent_at, clock_timestamp()), last_sent_at = clock_timestamp()
    FROM unnest(job_ids, tokens) AS m (job_id, token)
    WHERE j.id = m.job_id AND j.claim_token = m.token AND j.state = 'running'
      AND EXISTS (SELECT 1 FROM onboarding.worker_leases w WHERE w.id = worker_id AND w.lease_expires_at > clock_timestamp())
    RETURNING j.id;
$$;

-- Renews a lease that has not ended. False: it has, its jobs are being taken over, and the worker
-- must drop what it holds.
CREATE FUNCTION onboarding.renew_lease(worker_id text, lease_ms integer, calls integer, is_draining boolean)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    t timestamptz := clock_timestamp();
    is_renewed boolean;
BEGIN
    UPDATE onboarding.worker_leases w
    SET last_seen_at = t, lease_expires_at = t + lease_ms * interval '1 ms',
        in_flight = calls, draining = is_draining
    WHERE w.id = worker_id AND w.lease_expires_at > clock_timestamp();
    is_renewed := FOUND;
    PERFORM onboarding.shorten_leases(t);
    RETURN is_renewed;
END;
$$;

-- Signs a worker off. Jobs that it still holds are taken over at once.
CREATE FUNCTION onboarding.remove_worker(worker_id text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    DELETE FROM onboarding.worker_leases w WHERE w.id = worker_id;
$$;

-- Whether the provider can be asked for this job's record.
CREATE FUNCTION onboarding.can_look_up(job onboarding.jobs) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT k.lost_answer <> 'none' AND (k.look_up_field IS NULL
        OR (coalesce(jsonb_typeof(job.payload -> k.look_up_field), '') = 'string' AND job.payload ->> k.look_up_field <> ''))
    FROM onboarding.kinds k WHERE k.kind = job.kind;
$$;

-- Takes over jobs of workers whose lease has ended, up to `max_jobs`. What is known of each decides:
-- not sent → available; sent → as its kind's lost answers are treated. Returns how many.
-- `held` are the tokens that the reaper has in hand: what it claimed some time ago and does not hold
-- was lost on the way to it, and its lease will not end for that.
CREATE FUNCTION onboarding.take_over(reaper text, max_jobs integer, held bigint[] DEFAULT NULL) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
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
            OR (j.claimed_by = reaper AND j.claimed_at < clock_timestamp() - interval '10 s'
                AND j.claim_token <> ALL (held)))
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
            -- A worker that lives on may have sent for as long as it trusted its lease: until three seconds before its end.
            last_sent_at = CASE WHEN lost.step = 'create' AND lost.last_sent_at >= lost.claimed_at
                THEN clock_timestamp() - interval '3 s'
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

-- Finds order keys whose head is held behind a job that has gone: only where an insert and an end met unseen.
-- Looks at up to `max_keys` from the key after (`from_provider`, `from_key`) on and returns the last one, null at the end.
CREATE FUNCTION onboarding.repair_order_keys(max_keys integer, INOUT from_provider text, INOUT from_key text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
DECLARE
    place record;
BEGIN
    FOR turn IN 1..max_keys LOOP
        SELECT b.provider, b.order_key INTO place FROM onboarding.jobs b
        WHERE b.is_behind AND b.state IN ('blocked', 'available', 'running', 'waiting', 'uncertain')
          AND (b.provider, b.order_key) > (coalesce(from_provider, ''), coalesce(from_key, ''))
        ORDER BY b.provider, b.order_key, b.id LIMIT 1;
        IF NOT FOUND THEN
            from_provider := NULL; from_key := NULL;
            RETURN;
        END IF;
        from_provider := place.provider; from_key := place.order_key;
        IF onboarding.advance_order_key(place.provider, place.order_key) THEN PERFORM pg_notify('onboarding_jobs', ''); END IF;
    END LOOP;
END;
$$;

-- Fails jobs whose time is over and that nobody can have sent, up to `max_jobs`, and returns how many. One that may have been
-- sent is claimed once more, to find out what happened.
CREATE FUNCTION onboarding.expire_jobs(max_jobs integer) RETURNS integer
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

