-- Makes a failed or cancelled job available again and returns the key that it will use: the old one, unless the
-- provider refused the request for good or the payload is replaced. What may exist is looked up first.
-- Callers: operators; `failed_jobs`, queries/job_retry.sql.
-- Locks: the job, then the first job of its order key.
-- Errors: P0002 without such a job; 55000 where it cannot be retried; 23514 for a wrong payload.
CREATE OR REPLACE FUNCTION onboarding.retry(job_id bigint, reason text DEFAULT NULL, payload jsonb DEFAULT NULL) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    job onboarding.jobs := onboarding.lock_job(job_id);
    kind onboarding.kinds;
    after_state text;
    new_payload jsonb := coalesce(retry.payload, job.payload);
    -- As text, since that is what is sent: numbers that are equal may be written differently.
    is_new boolean := new_payload::text <> job.payload::text;
    may_exist boolean := onboarding.may_exist(job);
    is_rekeyed boolean := NOT may_exist AND (is_new OR job.last_outcome IN ('rejected', 'invalid_payload'));
    new_key uuid := CASE WHEN is_rekeyed THEN gen_random_uuid() ELSE job.idempotency_key END;
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
        IF octet_length(retry.payload::text) > 134217728 THEN PERFORM onboarding.refuse('payload', 'is larger than 128 MiB'); END IF;
        PERFORM onboarding.check_payload(job.kind, retry.payload);
    END IF;
    IF may_exist AND kind.lost_answer = 'none' THEN
        RAISE EXCEPTION 'onboarding: job % may have been sent and its provider cannot tell; it cannot be retried', job.id
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    IF may_exist AND is_new THEN
        RAISE EXCEPTION 'onboarding: job % may exist at the provider as it was sent; retry it without a payload and cancel it: that looks it up', job.id
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    UPDATE onboarding.jobs j
    SET state = 'available', attempt = 0, backoff_step = 0, cancel_requested_at = NULL, finished_at = NULL,
        -- What its caller scheduled for later stays so; the wait of a backoff does not.
        run_at = greatest(now(), CASE WHEN j.backoff_step = 0 THEN j.run_at END,
            onboarding.not_after(j.denied_at, now()) + onboarding.effect_horizon(j.provider)),
        expires_at = CASE WHEN j.expires_at <= now() THEN NULL ELSE j.expires_at END,
        idempotency_key = new_key, payload = new_payload, payload_bytes = octet_length(new_payload::text),
        body_sha256 = CASE WHEN is_new THEN NULL ELSE j.body_sha256 END,
        step = CASE WHEN may_exist THEN 'look_up' ELSE 'create' END,
        first_sent_at = CASE WHEN NOT is_rekeyed THEN j.first_sent_at END,
        last_sent_at = CASE WHEN may_exist THEN clock_timestamp() END,
        request_sha256 = CASE WHEN NOT is_rekeyed THEN j.request_sha256 END,
        mute_look_ups = 0, mute_since = NULL, last_http_status = NULL, last_create_status = NULL, updated_at = now(),
        is_behind = j.order_key IS NOT NULL AND EXISTS (
            SELECT 1 FROM onboarding.jobs o
            WHERE o.provider = j.provider AND o.order_key = j.order_key AND o.id < j.id
              AND o.state IN ('blocked', 'available', 'running', 'waiting', 'uncertain'))
    WHERE j.id = job.id;
    PERFORM onboarding.advance_order_keys(ARRAY[job.id]);
    INSERT INTO onboarding.state_changes (job_id, from_state, to_state, actor, reason, old_key, new_key)
    VALUES (job.id, job.state, 'available', session_user, 'retry' || coalesce(': ' || reason, ''), job.idempotency_key, new_key);
    PERFORM pg_notify('onboarding_jobs', '');
    RETURN new_key;
END;
$$;
