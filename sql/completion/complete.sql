-- Writes the ends of attempts in one statement, each under its own fencing token; an end whose token is not the job's
-- present one is kept as late evidence (`keep_late`). An end that is written twice changes nothing. Times come as ages
-- in milliseconds, so that only the database's clock counts. Returns a row per attempt: whether it was written, and the
-- state of the job.
--
-- `= ANY (ARRAY[…])` prevents a merge join: a session could have made that plan for an empty table, and it would read
-- the whole index of a full one. The state is compared in a form that no partial index matches, for the same reason:
-- right after an analyze that saw no running jobs, their index seemed shorter.
-- Callers: queries/complete.sql.
-- Locks: the jobs, then their dependents and order keys, then the providers in the order of their names; waits for 0.25
-- s at most.
-- Errors: 55P03 after that wait: nothing is written, and the worker writes the jobs that are free (`unlocked_jobs`).
-- 23505 when two answers have the same provider id (jobs_provider_id_key).
CREATE OR REPLACE FUNCTION onboarding.complete(
    job_ids bigint[], tokens bigint[], workers text[], claimed_ats text[], attempt_numbers smallint[],
    did_steps text[], outcomes text[], states text[], next_steps text[], delays_ms bigint[], counted boolean[],
    reached boolean[], proven boolean[], key_uses text[], mute_counts integer[], http_statuses integer[],
    request_ids text[], provider_ids text[], provider_statuses text[], errors text[], reasons text[],
    sent_ages_ms bigint[], holds_ms bigint[], keys text[], digests bytea[], request_digests bytea[])
RETURNS TABLE (job_id bigint, claim_token bigint, written boolean, job_state text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- Pinned: rows are found by key. Hash joins stay on for the batch's own rows.
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan SET jit = off
-- A row that somebody holds is left for later (`unlocked_jobs`): it must not keep the others from being written.
SET lock_timeout = '250ms' AS $$
#variable_conflict use_column
DECLARE
    ids bigint[];
    fences bigint[];
    became text[];
    taken bigint[] := onboarding.taken_ids(job_ids, outcomes, provider_ids);
    late boolean;
    ordered boolean;
    ended bigint[];
    concerned text[];
BEGIN
    WITH result AS (
        SELECT r.job_id, r.token, r.worker, r.claimed_at, r.attempt, r.did_step, r.outcome, r.next_step, r.delay_ms,
            r.counted, r.reached, r.proven, r.key_use, r.mute_count, r.http_status, r.request_id, r.provider_id,
            r.provider_status, r.error, r.sent_age_ms, r.key, r.digest, r.request_digest,
            CASE WHEN r.job_id = ANY (taken) THEN 'uncertain' ELSE r.state END AS state,
            CASE WHEN r.job_id = ANY (taken) THEN 'the provider answered with the id of a record that another job has'
                ELSE r.reason END AS reason
        FROM unnest(job_ids, tokens, workers, claimed_ats, attempt_numbers, did_steps, outcomes, states, next_steps,
            delays_ms, counted, reached, proven, key_uses, mute_counts, http_statuses, request_ids, provider_ids,
            provider_statuses, errors, reasons, sent_ages_ms, keys, digests, request_digests)
        AS r (job_id, token, worker, claimed_at, attempt, did_step, outcome, state, next_step, delay_ms, counted, reached,
            proven, key_use, mute_count, http_status, request_id, provider_id, provider_status, error, reason,
            sent_age_ms, key, digest, request_digest)
    ), written AS (
        UPDATE onboarding.jobs j
        SET state = onboarding.state_after(r.state, j.cancel_requested_at IS NOT NULL,
                onboarding.is_in_doubt(j.last_sent_at, j.late_doubt, r.reached, r.proven)),
            step = r.next_step,
            attempt = j.attempt - CASE WHEN j.step = 'create' AND NOT r.counted THEN 1 ELSE 0 END,
            -- What is given back as it was claimed keeps its place; a throttle is the provider's matter, not the job's.
            backoff_step = CASE WHEN r.state = 'available' AND r.outcome <> 'throttled'
                    AND (r.outcome <> 'not_sent' OR r.counted OR r.delay_ms > 0)
                THEN least(j.backoff_step + 1, 1000) ELSE j.backoff_step END,
            -- What was cancelled is looked up at once, however long it would have waited to be sent again.
            run_at = CASE WHEN r.state = 'available' AND (r.outcome <> 'not_sent' OR r.counted OR r.delay_ms > 0)
                THEN now() + CASE WHEN j.cancel_requested_at IS NOT NULL AND r.next_step = 'create' THEN 0
                    ELSE r.delay_ms END * interval '1 ms' ELSE j.run_at END,
            -- A key that a fenced-out worker has used since the claim stays, and so does its age.
            first_sent_at = CASE WHEN r.key_use <> 'same'
                    AND NOT onboarding.is_in_doubt(j.last_sent_at, j.late_doubt, r.reached, r.proven) THEN NULL
                WHEN r.reached THEN coalesce(j.first_sent_at, j.claimed_at) ELSE j.first_sent_at END,
            -- A byte of what was not answered can have left until now.
            last_sent_at = CASE WHEN NOT onboarding.is_in_doubt(j.last_sent_at, j.late_doubt, r.reached, r.proven) THEN NULL
                WHEN r.reached THEN now() ELSE j.last_sent_at END,
            request_sha256 = CASE WHEN r.key_use <> 'same' THEN NULL
                WHEN r.reached THEN coalesce(j.request_sha256, r.request_digest) ELSE j.request_sha256 END,
            mute_look_ups = coalesce(r.mute_count, j.mute_look_ups),
            mute_since = CASE WHEN coalesce(r.mute_count, j.mute_look_ups) = 0 THEN NULL ELSE coalesce(j.mute_since, now()) END,
            provider_id = CASE WHEN r.state = 'uncertain' THEN j.provider_id ELSE coalesce(r.provider_id, j.provider_id) END,
            provider_status = coalesce(r.provider_status, j.provider_status),
            last_outcome = r.outcome, last_http_status = r.http_status,
            last_create_status = CASE WHEN r.key_use <> 'same' THEN NULL
                WHEN r.did_step = 'create' AND r.outcome NOT IN ('not_sent', 'invalid_payload') THEN r.http_status
                ELSE j.last_create_status END,
            last_error = CASE WHEN r.state = 'completed' THEN NULL
                WHEN r.state <> 'cancelled' AND onboarding.state_after(r.state, j.cancel_requested_at IS NOT NULL,
                    onboarding.is_in_doubt(j.last_sent_at, j.late_doubt, r.reached, r.proven)) = 'cancelled'
                    THEN 'cancelled as asked; the last attempt ended ' || r.outcome
                ELSE coalesce(r.error || ': ', '') || r.reason END,
            lease_expires_at = NULL, updated_at = now(),
            finished_at = CASE WHEN onboarding.state_after(r.state, j.cancel_requested_at IS NOT NULL,
                onboarding.is_in_doubt(j.last_sent_at, j.late_doubt, r.reached, r.proven))
                IN ('completed', 'failed', 'cancelled') THEN now() END
        FROM result r
        WHERE j.id = ANY (ARRAY[r.job_id]) AND j.claim_token = r.token AND coalesce(j.state, '') = 'running'
        RETURNING j.id, j.claim_token AS token, j.provider, j.state, j.run_at, j.step, j.order_key, r.worker, r.claimed_at,
            r.sent_age_ms, r.key, r.http_status, r.attempt, r.did_step, r.outcome, r.provider_id, r.provider_status,
            r.request_id, r.error, r.digest, CASE WHEN j.state = 'cancelled' THEN j.last_error ELSE r.reason END AS reason
    ), journal AS (
        INSERT INTO onboarding.attempts (job_id, claim_token, claimed_at, sent_at, next_run_at, idempotency_key,
            http_status, attempt, step, worker, outcome, next_state, next_step, provider_id, provider_status,
            request_id, error, reason, body_sha256)
        SELECT w.id, w.token, w.claimed_at::timestamptz, now() - w.sent_age_ms * interval '1 ms',
            CASE WHEN w.state = 'available' THEN w.run_at END, w.key::uuid, w.http_status, w.attempt, w.did_step,
            w.worker, w.outcome, w.state, CASE WHEN w.state = 'available' THEN w.step END, w.provider_id,
            w.provider_status, w.request_id, w.error, w.reason, w.digest
        FROM written w
    ), counted AS (
        INSERT INTO onboarding.ended (provider, completed, failed)
        SELECT w.provider, count(*) FILTER (WHERE w.state = 'completed'), count(*) FILTER (WHERE w.state = 'failed')
        FROM written w WHERE w.state IN ('completed', 'failed') GROUP BY w.provider
    )
    SELECT array_agg(w.id), array_agg(w.token), array_agg(w.state), bool_or(w.order_key IS NOT NULL), array_agg(DISTINCT w.provider)
    INTO ids, fences, became, ordered, concerned
    FROM written w;
    late := cardinality(job_ids) > coalesce(cardinality(ids), 0);
    RETURN QUERY SELECT w.id, w.token, true, w.state FROM unnest(ids, fences, became) AS w (id, token, state);
    IF late THEN
        RETURN QUERY SELECT * FROM onboarding.keep_late(job_ids, tokens, workers, claimed_ats, attempt_numbers,
            did_steps, outcomes, reached, http_statuses, request_ids, provider_ids, provider_statuses, errors,
            sent_ages_ms, keys, digests, coalesce(fences, '{}'));
    END IF;

    IF 'new' = ANY (key_uses) THEN PERFORM onboarding.rotate_keys(job_ids, tokens, key_uses); END IF;
    IF late OR 'uncertain' = ANY (became) THEN PERFORM onboarding.settle_late_successes(job_ids); END IF;
    IF 'adopted' = ANY (outcomes) THEN PERFORM onboarding.note_shared_ids(ids); END IF;
    SELECT array_agg(s.id) INTO ended FROM (
        SELECT d.after_job_id AS id FROM onboarding.jobs d
        WHERE d.after_job_id = ANY (job_ids) AND coalesce(d.state, '') = 'blocked'
        UNION
        SELECT j.id FROM onboarding.jobs j
        WHERE ordered AND j.id = ANY (job_ids) AND j.order_key IS NOT NULL AND j.state IN ('completed', 'failed', 'cancelled')) s;
    IF ended IS NOT NULL THEN PERFORM onboarding.settle_dependents(ended); END IF;
    PERFORM onboarding.note_provider_health(job_ids, tokens, outcomes, http_statuses, holds_ms, reached, concerned);
END;
$$;
