-- Makes a failed or cancelled job available again and returns the key that it will use: the old one, unless the
-- provider refused the request for good or the payload is replaced. What may exist is looked up first. The jobs that were
-- cancelled with it wait for it again if asked for; else a notice and the journal tell how many there are.
-- Callers: operators; `failed_jobs`, queries/job_retry.sql.
-- Locks: the job, then its dependents, then the first jobs of their order keys.
-- Errors: P0002 without such a job; those of `check_retry`.
CREATE OR REPLACE FUNCTION onboarding.retry(
    job_id bigint, reason text DEFAULT NULL, payload jsonb DEFAULT NULL, with_dependents boolean DEFAULT false) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    job onboarding.jobs := onboarding.lock_job(job_id);
    new_payload jsonb := coalesce(retry.payload, job.payload);
    -- As text, since that is what is sent: numbers that are equal may be written differently.
    is_new boolean := new_payload::text <> job.payload::text;
    may_exist boolean := onboarding.may_exist(job);
    is_rekeyed boolean := NOT may_exist AND (is_new OR job.last_outcome IN ('rejected', 'invalid_payload'));
    dependents bigint[] := ARRAY(SELECT d.id FROM onboarding.cancelled_with(job_id) AS d (id));
    note text := '';
    new_key uuid := CASE WHEN is_rekeyed THEN gen_random_uuid() ELSE job.idempotency_key END;
BEGIN
    PERFORM onboarding.check_retry(job, retry.payload, may_exist, is_new);
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
    IF with_dependents THEN
        PERFORM onboarding.block_again(dependents, reason);
    ELSIF dependents <> '{}' THEN
        note := format('; %s jobs that were cancelled with it stay cancelled', cardinality(dependents));
        RAISE NOTICE 'onboarding: % jobs that were cancelled with job % stay cancelled; with_dependents => true takes them along',
            cardinality(dependents), job.id;
    END IF;
    PERFORM onboarding.advance_order_keys(job.id || dependents);
    INSERT INTO onboarding.state_changes (job_id, from_state, to_state, actor, reason, old_key, new_key)
    VALUES (job.id, job.state, 'available', session_user, 'retry' || coalesce(': ' || reason, '') || note, job.idempotency_key, new_key);
    PERFORM pg_notify('onboarding_jobs', '');
    RETURN new_key;
END;
$$;
