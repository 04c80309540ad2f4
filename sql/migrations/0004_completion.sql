-- Writing attempts back: fenced, in batches, with the journal.
INSERT INTO onboarding.migrations (version, name) VALUES (4, 'completion');

-- Writes the ends of attempts. Each row carries its own token: a row whose token is not the job's
-- present one changes nothing there and is kept in the journal as late evidence. Writing the same end
-- twice (after a lost answer to COMMIT) is harmless and reported as written.
--
-- Times come as ages in milliseconds, so that only the database's clock counts. Returns a row an
-- attempt: whether it was written, and the state the job is in.
CREATE FUNCTION onboarding.complete(
    worker_id text, job_ids bigint[], tokens bigint[], claimed_ats text[], attempt_numbers smallint[],
    did_steps text[], outcomes text[], states text[], next_steps text[], delays_ms bigint[], counted boolean[],
    reached boolean[], key_uses text[], http_statuses integer[], request_ids text[], provider_ids text[],
    provider_statuses text[], errors text[], reasons text[], sent_ages_ms bigint[], holds_ms bigint[],
    keys text[], digests bytea[])
RETURNS TABLE (job_id bigint, claim_token bigint, written boolean, job_state text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- Pinned: rows are found by key. Hash joins stay on for the batch's own rows.
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan SET jit = off AS $$
#variable_conflict use_column
DECLARE
    ids bigint[];
    fences bigint[];
    done boolean[];
    became text[];
    late boolean;
    ordered boolean;
    ended bigint[];
BEGIN
    WITH result AS (
        SELECT * FROM unnest(job_ids, tokens, claimed_ats, attempt_numbers, did_steps, outcomes, states, next_steps,
            delays_ms, counted, reached, key_uses, http_statuses, request_ids, provider_ids, provider_statuses,
            errors, reasons, sent_ages_ms, keys, digests)
        AS r (job_id, token, claimed_at, attempt, did_step, outcome, state, next_step, delay_ms, counted, reached,
            key_use, http_status, request_id, provider_id, provider_status, error, reason, sent_age_ms, key, digest)
    ), written AS (
        UPDATE onboarding.jobs j
        SET state = CASE WHEN j.cancel_requested_at IS NULL THEN r.state
                ELSE (onboarding.after_cancel(j, r.state, r.next_step, r.outcome, r.reached)).state END,
            step = CASE WHEN j.cancel_requested_at IS NULL THEN r.next_step
                ELSE (onboarding.after_cancel(j, r.state, r.next_step, r.outcome, r.reached)).step END,
            attempt = j.attempt - CASE WHEN j.step = 'create' AND NOT r.counted THEN 1 ELSE 0 END,
            backoff_step = CASE WHEN r.state = 'available' THEN least(j.backoff_step + 1, 1000) ELSE j.backoff_step END,
            run_at = CASE WHEN r.state = 'available' THEN now() + r.delay_ms * interval '1 ms' ELSE j.run_at END,
            -- A call that cannot have arrived takes back what its claim assumed.
            first_sent_at = CASE WHEN r.key_use <> 'same' THEN NULL
                WHEN NOT r.reached AND j.step = 'create' AND j.first_sent_at >= j.claimed_at THEN NULL
                ELSE j.first_sent_at END,
            provider_id = coalesce(r.provider_id, j.provider_id),
            provider_status = coalesce(r.provider_status, j.provider_status),
            last_outcome = r.outcome, last_http_status = r.http_status,
            -- What was not answered may be on its way until now.
            last_sent_at = CASE WHEN r.reached AND j.step = 'create' THEN now() ELSE j.last_sent_at END,
            last_create_status = CASE WHEN r.key_use <> 'same' THEN NULL WHEN j.step = 'create' THEN r.http_status
                ELSE j.last_create_status END,
            last_error = CASE WHEN r.state = 'completed' THEN NULL ELSE coalesce(r.error || ': ', '') || r.reason END,
            lease_expires_at = NULL, updated_at = now(),
            finished_at = CASE WHEN CASE WHEN j.cancel_requested_at IS NULL THEN r.state
                ELSE (onboarding.after_cancel(j, r.state, r.next_step, r.outcome, r.reached)).state END
                IN ('completed', 'failed', 'cancelled') THEN now() END
        FROM result r
        WHERE j.id = r.job_id AND j.claim_token = r.token AND j.state = 'running'
        RETURNING j.id, j.claim_token AS token, j.state, j.run_at, j.step, j.order_key
    ), journal AS (
        INSERT INTO onboarding.attempts (job_id, claim_token, claimed_at, sent_at, next_run_at, idempotency_key,
            http_status, attempt, late, step, worker, outcome, next_state, next_step, provider_id, provider_status,
            request_id, error, reason, body_sha256)
        SELECT r.job_id, r.token, r.claimed_at::timestamptz, now() - r.sent_age_ms * interval '1 ms',
            CASE WHEN w.state = 'available' THEN w.run_at END, r.key::uuid, r.http_status, r.attempt, w.id IS NULL, r.did_step,
            worker_id, r.outcome, w.state, CASE WHEN w.state = 'available' THEN w.step END, r.provider_id,
            r.provider_status, r.request_id, r.error, CASE WHEN w.id IS NULL THEN 'came too late: another worker had the job' ELSE r.reason END, r.digest
        FROM result r
        LEFT JOIN written w ON w.id = r.job_id AND w.token = r.token
        WHERE w.id IS NOT NULL OR NOT EXISTS (
            SELECT 1 FROM onboarding.attempts a
            WHERE a.job_id = r.job_id AND a.claim_token = r.token AND NOT a.late AND a.outcome <> 'lost')
        ON CONFLICT DO NOTHING
        RETURNING 1
    ), told AS (
        SELECT count(pg_notify('onboarding_events', format('{"job_id": %s, "state": "%s"}', w.id, w.state))) AS events FROM written w WHERE w.state <> 'available'
    )
    SELECT array_agg(o.job_id), array_agg(o.token), array_agg(o.done), array_agg(o.state), bool_or(o.late), bool_or(o.is_ordered)
    INTO ids, fences, done, became, late, ordered
    FROM (
        SELECT r.job_id, r.token, w.state, w.id IS NULL AS late, w.order_key IS NOT NULL AS is_ordered,
            w.id IS NOT NULL OR EXISTS (
                SELECT 1 FROM onboarding.attempts a
                WHERE a.job_id = r.job_id AND a.claim_token = r.token AND NOT a.late AND a.outcome <> 'lost') AS done
        FROM result r
        CROSS JOIN told
        LEFT JOIN written w ON w.id = r.job_id AND w.token = r.token) o;
    RETURN QUERY SELECT * FROM unnest(ids, fences, done, became);

    IF 'new' = ANY (key_uses) THEN PERFORM onboarding.rotate_keys(job_ids, tokens, key_uses); END IF;
    IF late OR 'uncertain' = ANY (became) THEN PERFORM onboarding.settle_late_successes(job_ids); END IF;
    SELECT array_agg(s.id) INTO ended FROM (
        SELECT d.after_job_id AS id FROM unnest(job_ids) AS b (id)
        JOIN onboarding.jobs d ON d.after_job_id = b.id AND d.state = 'blocked'
        UNION
        SELECT j.id FROM onboarding.jobs j
        WHERE ordered AND j.id = ANY (job_ids) AND j.order_key IS NOT NULL AND j.state IN ('completed', 'failed', 'cancelled')) s;
    IF ended IS NOT NULL THEN PERFORM onboarding.settle_dependents(ended); END IF;
    PERFORM onboarding.note_provider_health(job_ids, tokens, outcomes, http_statuses, holds_ms);
END;
$$;

-- Gives jobs a new key. A statement of its own, since one that names a key column waits for every
-- open transaction that inserted a job which waits for this one.
CREATE FUNCTION onboarding.rotate_keys(job_ids bigint[], tokens bigint[], key_uses text[]) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    UPDATE onboarding.jobs j
    SET idempotency_key = gen_random_uuid()
    FROM unnest(job_ids, tokens, key_uses) AS r (job_id, token, key_use)
    WHERE j.id = r.job_id AND j.claim_token = r.token AND r.key_use = 'new' AND j.state = 'available' AND j.last_sent_at IS NULL;
$$;

-- Where an attempt leads once a wish to cancel is heard: nothing more is created, and nothing that may
-- exist at the provider is called cancelled before a look-up, where there is one, has found nothing.
CREATE FUNCTION onboarding.after_cancel(
    job onboarding.jobs, wanted text, wanted_step text, outcome text, reached boolean, OUT state text, OUT step text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    state := wanted;
    step := wanted_step;
    IF wanted = 'failed' THEN
        state := 'cancelled';
    ELSIF wanted = 'available' AND wanted_step = 'create' THEN
        IF outcome = 'not_found' OR job.first_sent_at IS NULL OR (job.first_sent_at >= job.claimed_at AND NOT reached) THEN
            state := 'cancelled';
        ELSIF onboarding.can_look_up(job) THEN
            step := 'look_up';
        ELSE
            state := 'uncertain';
        END IF;
    END IF;
END;
$$;

-- What the batch tells about its providers; migration 16 has the body.
CREATE FUNCTION onboarding.note_provider_health(
    job_ids bigint[], tokens bigint[], outcomes text[], http_statuses integer[], holds_ms bigint[], concerned text[])
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS 'BEGIN END';
