-- What callers and operators do to jobs and providers (design, section 3.3).
INSERT INTO onboarding.migrations (version, name) VALUES (5, 'operations');

CREATE FUNCTION onboarding.lock_job(job_id bigint) RETURNS onboarding.jobs
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    job onboarding.jobs;
BEGIN
    SELECT * INTO job FROM onboarding.jobs j WHERE j.id = lock_job.job_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'onboarding: % is not a job', coalesce(lock_job.job_id::text, 'null')
            USING ERRCODE = 'no_data_found', COLUMN = 'job_id';
    END IF;
    RETURN job;
END;
$$;

-- Cancels a job and returns its state afterwards. What may exist at the provider is found out first:
-- such a job ends `completed` if the record is there, else `cancelled`.
CREATE FUNCTION onboarding.cancel(job_id bigint, reason text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    job onboarding.jobs := onboarding.lock_job(job_id);
BEGIN
    IF job.state IN ('completed', 'failed', 'cancelled') THEN
        RAISE EXCEPTION 'onboarding: job % is % already', job.id, job.state USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    IF job.state = 'uncertain' THEN
        RAISE EXCEPTION 'onboarding: job % is uncertain; say what happened with resolve()', job.id
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    IF job.state = 'running' THEN
        UPDATE onboarding.jobs j SET cancel_requested_at = now(), updated_at = now() WHERE j.id = job.id;
        PERFORM onboarding.log_state_change(job.id, 'running', 'running', 'cancel requested: ' || coalesce(reason, ''));
        RETURN 'running';
    END IF;
    IF job.state = 'available' AND job.first_sent_at IS NOT NULL AND onboarding.can_look_up(job) THEN
        UPDATE onboarding.jobs j
        SET cancel_requested_at = now(), step = 'look_up', run_at = now(), updated_at = now() WHERE j.id = job.id;
        PERFORM onboarding.log_state_change(job.id, 'available', 'available',
            'cancel requested, looked up first: ' || coalesce(reason, ''));
        PERFORM pg_notify('onboarding_jobs', '');
        RETURN 'available';
    END IF;
    UPDATE onboarding.jobs j
    SET state = 'cancelled', cancel_requested_at = now(), finished_at = now(), updated_at = now(),
        last_error = 'cancelled' || coalesce(': ' || reason, '') || CASE WHEN job.first_sent_at IS NULL THEN ''
            ELSE '; an earlier request may have reached the provider' END
    WHERE j.id = job.id;
    PERFORM onboarding.log_state_change(job.id, job.state, 'cancelled', reason);
    PERFORM onboarding.notify_event(job.id, 'cancelled');
    PERFORM onboarding.settle_dependents(ARRAY[job.id]);
    RETURN 'cancelled';
END;
$$;

-- Makes a failed or cancelled job available again and returns the key that it will use: the old one,
-- unless the provider refused the request for good or the payload is replaced.
CREATE FUNCTION onboarding.retry(job_id bigint, reason text DEFAULT NULL, payload jsonb DEFAULT NULL) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    job onboarding.jobs := onboarding.lock_job(job_id);
    kind onboarding.kinds;
    after_state text;
    new_payload jsonb := coalesce(retry.payload, job.payload);
    new_key uuid := job.idempotency_key;
    may_exist boolean;
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
    IF retry.payload IS NOT NULL THEN
        IF jsonb_typeof(retry.payload) <> 'object' THEN PERFORM onboarding.refuse('payload', 'must be a JSON object'); END IF;
        PERFORM onboarding.check_payload(job.kind, retry.payload);
    END IF;
    -- A refusal proves that its own request created nothing, not that an earlier one without an answer
    -- did not; only a look-up that found nothing does.
    may_exist := job.first_sent_at IS NOT NULL AND EXISTS (
        SELECT 1 FROM onboarding.attempts a
        WHERE a.job_id = job.id AND a.outcome IN ('unavailable', 'ambiguous', 'lost')
          AND a.finished_at > coalesce((
              SELECT max(n.finished_at) FROM onboarding.attempts n WHERE n.job_id = job.id AND n.outcome = 'not_found'), '-infinity'));
    IF may_exist AND kind.lost_answer = 'none' THEN
        RAISE EXCEPTION 'onboarding: job % may have been sent and its provider cannot tell; it cannot be retried', job.id
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    IF NOT may_exist AND (job.last_outcome IN ('rejected', 'invalid_payload') OR new_payload <> job.payload) THEN
        new_key := gen_random_uuid();
    END IF;
    IF may_exist AND new_payload <> job.payload THEN
        RAISE EXCEPTION 'onboarding: job % may exist at the provider as it was sent; retry it without a payload and cancel it: that looks it up', job.id
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    UPDATE onboarding.jobs j
    SET state = 'available', run_at = now(), attempt = 0, backoff_step = 0, cancel_requested_at = NULL, finished_at = NULL,
        expires_at = CASE WHEN j.expires_at <= now() THEN NULL ELSE j.expires_at END,
        idempotency_key = new_key, payload = new_payload, payload_bytes = octet_length(new_payload::text),
        body_sha256 = CASE WHEN new_payload <> j.payload THEN NULL ELSE j.body_sha256 END,
        step = CASE WHEN may_exist AND onboarding.can_look_up(job) THEN 'look_up' ELSE 'create' END,
        first_sent_at = CASE WHEN may_exist THEN j.first_sent_at END,
        last_http_status = NULL, last_create_status = NULL, updated_at = now()
    WHERE j.id = job.id;
    INSERT INTO onboarding.state_changes (job_id, from_state, to_state, actor, reason, old_key, new_key)
    VALUES (job.id, job.state, 'available', session_user, 'retry' || coalesce(': ' || reason, ''), job.idempotency_key, new_key);
    PERFORM pg_notify('onboarding_jobs', '');
    RETURN new_key;
END;
$$;

CREATE FUNCTION onboarding.lock_provider(provider_name text) RETURNS onboarding.providers
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    p onboarding.providers;
BEGIN
    SELECT * INTO p FROM onboarding.providers x WHERE x.provider = provider_name FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        PERFORM onboarding.refuse('provider', format('%L is not known; known are %s', provider_name,
            (SELECT string_agg(x.provider, ', ' ORDER BY x.provider) FROM onboarding.providers x)));
    END IF;
    RETURN p;
END;
$$;

-- Stops all workers from claiming the provider's jobs, until a time or until resumed.
CREATE FUNCTION onboarding.pause_provider(provider text, reason text DEFAULT NULL, until timestamptz DEFAULT 'infinity')
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    p onboarding.providers := onboarding.lock_provider(provider);
BEGIN
    IF coalesce(pause_provider.until, 'infinity') <= now() THEN PERFORM onboarding.refuse('until', 'must be in the future'); END IF;
    UPDATE onboarding.providers x
    SET paused_until = coalesce(pause_provider.until, 'infinity'), pause_reason = pause_provider.reason, updated_at = now()
    WHERE x.provider = p.provider;
    INSERT INTO onboarding.provider_events (provider, actor, event, reason)
    VALUES (p.provider, session_user, 'paused', pause_provider.reason);
END;
$$;

-- Lets claiming go on: ends a pause and a hold, and lets an open circuit be probed at once.
CREATE FUNCTION onboarding.resume_provider(provider text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    p onboarding.providers := onboarding.lock_provider(provider);
BEGIN
    UPDATE onboarding.providers x
    SET paused_until = NULL, pause_reason = NULL, held_until = NULL, adaptive_rate = NULL, throttle_streak = 0,
        circuit_probe_at = CASE WHEN x.circuit = 'closed' THEN NULL ELSE now() END, updated_at = now()
    WHERE x.provider = p.provider;
    INSERT INTO onboarding.provider_events (provider, actor, event) VALUES (p.provider, session_user, 'resumed');
    PERFORM pg_notify('onboarding_jobs', '');
END;
$$;

-- Changes the limits of a provider that are given, and no other. `unlimited` names those that are taken away, such as
-- '{burst}'. The same as an UPDATE, with a record of who did it.
CREATE FUNCTION onboarding.limit_provider(
    provider text, max_in_flight integer DEFAULT NULL, rate_per_second double precision DEFAULT NULL,
    burst integer DEFAULT NULL, unlimited text[] DEFAULT '{}') RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    p onboarding.providers := onboarding.lock_provider(provider);
BEGIN
    IF NOT unlimited <@ ARRAY['max_in_flight', 'rate_per_second', 'burst'] THEN
        PERFORM onboarding.refuse('unlimited', 'may name max_in_flight, rate_per_second and burst');
    END IF;
    UPDATE onboarding.providers x
    SET max_in_flight = CASE WHEN 'max_in_flight' = ANY (unlimited) THEN NULL
            ELSE coalesce(limit_provider.max_in_flight, x.max_in_flight) END,
        rate_per_second = CASE WHEN 'rate_per_second' = ANY (unlimited) THEN NULL
            ELSE coalesce(limit_provider.rate_per_second, x.rate_per_second) END,
        burst = CASE WHEN 'burst' = ANY (unlimited) THEN NULL ELSE coalesce(limit_provider.burst, x.burst) END,
        updated_at = now()
    WHERE x.provider = p.provider
    RETURNING * INTO p;
    INSERT INTO onboarding.provider_events (provider, actor, event, reason)
    VALUES (p.provider, session_user, 'limited', format('max_in_flight %s, rate_per_second %s, burst %s',
        coalesce(p.max_in_flight::text, 'none'), coalesce(p.rate_per_second::text, 'none'), coalesce(p.burst::text, 'none')));
    PERFORM pg_notify('onboarding_jobs', p.provider);
END;
$$;

-- Why the job is not running now: one row a reason; none when nothing is in its way but a free slot.
CREATE FUNCTION onboarding.why(job_id bigint) RETURNS TABLE (reason text, detail text, until timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    job onboarding.jobs;
    p onboarding.providers;
    running bigint;
    head record;
BEGIN
    SELECT * INTO job FROM onboarding.jobs j WHERE j.id = why.job_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'onboarding: % is not a job', coalesce(why.job_id::text, 'null') USING ERRCODE = 'no_data_found';
    END IF;
    IF job.state IN ('completed', 'failed', 'cancelled') THEN
        RETURN QUERY SELECT job.state, coalesce(job.last_error, 'it is done'), NULL::timestamptz; RETURN;
    ELSIF job.state = 'running' THEN
        RETURN QUERY SELECT 'running', format('worker %s has had it since %s', job.claimed_by, job.claimed_at), NULL::timestamptz;
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
    IF p.rate_per_second IS NOT NULL AND p.rate_due_at > now() THEN
        RETURN QUERY SELECT 'rate_limit', format('%s calls a second are used up', p.rate_per_second), p.rate_due_at;
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
