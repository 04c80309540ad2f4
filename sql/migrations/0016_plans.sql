-- A session keeps the plans that it has made, also those made while the table was empty: they must be good when it is not. And
-- no look is longer than its bound.
INSERT INTO onboarding.migrations (version, name) VALUES (16, 'plans');

-- `= ANY (ARRAY[…])` is the equality that no merge join can use. Where one could, an index may be read from its first entry to
-- its last for its order: the cheapest plan for a table of one page, which the session then keeps for a full one. (The state is
-- asked in a way that no partial index answers; see migration 14.)
CREATE OR REPLACE FUNCTION onboarding.complete(
    worker_id text, job_ids bigint[], tokens bigint[], claimed_ats text[], attempt_numbers smallint[],
    did_steps text[], outcomes text[], states text[], next_steps text[], delays_ms bigint[], counted boolean[],
    reached boolean[], key_uses text[], http_statuses integer[], request_ids text[], provider_ids text[],
    provider_statuses text[], errors text[], reasons text[], sent_ages_ms bigint[], holds_ms bigint[],
    keys text[], digests bytea[])
RETURNS TABLE (job_id bigint, claim_token bigint, written boolean, job_state text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- Pinned: rows are found by key. Hash joins stay on for the batch's own rows.
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan SET jit = off
-- A row that somebody holds is left for later (`unlocked_jobs`): it must not keep the others from being written.
SET lock_timeout = '500ms' AS $$
#variable_conflict use_column
DECLARE
    ids bigint[];
    fences bigint[];
    became text[];
    late boolean;
    ordered boolean;
    ended bigint[];
    concerned text[];
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
            -- What is given back as it was claimed keeps its place.
            backoff_step = CASE WHEN r.state = 'available' AND (r.outcome NOT IN ('not_sent', 'throttled') OR r.counted OR r.delay_ms > 0)
                THEN least(j.backoff_step + 1, 1000) ELSE j.backoff_step END,
            run_at = CASE WHEN r.state = 'available' AND (r.outcome NOT IN ('not_sent', 'throttled') OR r.counted OR r.delay_ms > 0)
                THEN now() + r.delay_ms * interval '1 ms' ELSE j.run_at END,
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
            last_error = CASE WHEN r.state = 'completed' THEN NULL
                WHEN j.cancel_requested_at IS NOT NULL
                    AND (onboarding.after_cancel(j, r.state, r.next_step, r.outcome, r.reached)).state = 'cancelled'
                    THEN 'cancelled as asked; the last attempt ended ' || r.outcome
                ELSE coalesce(r.error || ': ', '') || r.reason END,
            lease_expires_at = NULL, updated_at = now(),
            finished_at = CASE WHEN CASE WHEN j.cancel_requested_at IS NULL THEN r.state
                ELSE (onboarding.after_cancel(j, r.state, r.next_step, r.outcome, r.reached)).state END
                IN ('completed', 'failed', 'cancelled') THEN now() END
        FROM result r
        WHERE j.id = ANY (ARRAY[r.job_id]) AND j.claim_token = r.token AND coalesce(j.state, '') = 'running'
        RETURNING j.id, j.claim_token AS token, j.provider, j.state, j.run_at, j.step, j.order_key, r.claimed_at, r.sent_age_ms,
            r.key, r.http_status, r.attempt, r.did_step, r.outcome, r.provider_id, r.provider_status, r.request_id,
            r.error, r.digest, CASE WHEN j.state = 'cancelled' THEN j.last_error ELSE r.reason END AS reason
    ), journal AS (
        INSERT INTO onboarding.attempts (job_id, claim_token, claimed_at, sent_at, next_run_at, idempotency_key,
            http_status, attempt, step, worker, outcome, next_state, next_step, provider_id, provider_status,
            request_id, error, reason, body_sha256)
        SELECT w.id, w.token, w.claimed_at::timestamptz, now() - w.sent_age_ms * interval '1 ms',
            CASE WHEN w.state = 'available' THEN w.run_at END, w.key::uuid, w.http_status, w.attempt, w.did_step,
            worker_id, w.outcome, w.state, CASE WHEN w.state = 'available' THEN w.step END, w.provider_id,
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
        RETURN QUERY SELECT * FROM onboarding.keep_late(worker_id, job_ids, tokens, claimed_ats, attempt_numbers,
            did_steps, outcomes, http_statuses, request_ids, provider_ids, provider_statuses, errors,
            sent_ages_ms, keys, digests, coalesce(ids, '{}'), coalesce(fences, '{}'));
    END IF;

    IF 'new' = ANY (key_uses) THEN PERFORM onboarding.rotate_keys(job_ids, tokens, key_uses); END IF;
    IF late OR 'uncertain' = ANY (became) THEN PERFORM onboarding.settle_late_successes(job_ids); END IF;
    SELECT array_agg(s.id) INTO ended FROM (
        SELECT d.after_job_id AS id FROM onboarding.jobs d
        WHERE d.after_job_id = ANY (job_ids) AND coalesce(d.state, '') = 'blocked'
        UNION
        SELECT j.id FROM onboarding.jobs j
        WHERE ordered AND j.id = ANY (job_ids) AND j.order_key IS NOT NULL AND j.state IN ('completed', 'failed', 'cancelled')) s;
    IF ended IS NOT NULL THEN PERFORM onboarding.settle_dependents(ended); END IF;
    PERFORM onboarding.note_provider_health(job_ids, tokens, outcomes, http_statuses, holds_ms, concerned);
END;
$$;

-- What the batch tells about its providers. A throttle holds the whole provider and slows it (`note_throttle`), refused
-- credentials open its circuit, an answer to the probe closes it. A job that was refused before, while others were let in
-- since, opens no closed circuit again: it is the job that is refused, and its own backoff is enough. Where a lost answer
-- cannot be asked for, jobs that become uncertain open the circuit too. `concerned`: the providers of what was written.
-- Costs two looks at a table of four rows where there is nothing to note. Locks the rows of those providers that it has
-- something to say about, in their order.
CREATE OR REPLACE FUNCTION onboarding.note_provider_health(
    job_ids bigint[], tokens bigint[], outcomes text[], http_statuses integer[], holds_ms bigint[], concerned text[])
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    told record;
    p onboarding.providers;
    t timestamptz := clock_timestamp();
    since timestamptz;
    news text;
    reason text;
BEGIN
    IF NOT outcomes && ARRAY['throttled', 'unauthorized'] AND NOT EXISTS (
        SELECT 1 FROM onboarding.providers x
        WHERE x.circuit = 'half_open' OR (x.call_window IS NOT NULL AND x.provider = ANY (concerned)))
    THEN RETURN; END IF;
    FOR told IN
        SELECT j.provider,
            max(j.claimed_at) FILTER (WHERE b.outcome = 'throttled') AS throttled, max(b.hold_ms) AS asked_ms,
            max(j.claimed_at) FILTER (WHERE b.outcome = 'unauthorized') AS refused,
            bool_and(b.outcome <> 'unauthorized' OR coalesce((
                SELECT a.outcome = 'unauthorized' FROM onboarding.attempts a
                WHERE b.outcome = 'unauthorized' AND a.job_id = b.id AND a.claim_token <> b.token AND NOT a.late AND a.http_status IS NOT NULL
                ORDER BY a.finished_at DESC LIMIT 1), false)) AS refused_before,
            max(j.claimed_at) FILTER (WHERE b.is_answered AND j.state <> 'uncertain') AS answered,
            count(*) FILTER (WHERE b.is_answered AND j.state <> 'uncertain') AS answers,
            max(j.claimed_at) FILTER (WHERE j.state = 'uncertain') AS doubtful,
            count(*) FILTER (WHERE j.state = 'uncertain') AS doubts,
            max(j.claimed_at) AS claimed
        FROM (
            SELECT u.*, u.http_status IS NOT NULL AND u.outcome NOT IN ('unauthorized', 'throttled') AS is_answered
            FROM unnest(job_ids, tokens, outcomes, http_statuses, holds_ms) AS u (id, token, outcome, http_status, hold_ms)) b
        JOIN onboarding.jobs j ON j.id = ANY (ARRAY[b.id])
        GROUP BY j.provider ORDER BY j.provider
    LOOP
        SELECT * INTO p FROM onboarding.providers x WHERE x.provider = told.provider;
        CONTINUE WHEN told.throttled IS NULL AND told.refused IS NULL AND p.circuit <> 'half_open' AND p.call_window IS NULL;
        IF told.throttled IS NOT NULL THEN PERFORM onboarding.note_throttle(told.provider, told.throttled, told.asked_ms); END IF;
        IF p.call_window IS NOT NULL THEN PERFORM onboarding.note_trial(told.provider, told.answers, told.doubts); END IF;
        CONTINUE WHEN told.refused IS NULL AND p.circuit <> 'half_open' AND (told.doubts = 0 OR p.call_window IS NULL);
        SELECT * INTO p FROM onboarding.providers x WHERE x.provider = told.provider FOR NO KEY UPDATE;
        -- Calls that were under way when the circuit opened are no probes.
        since := CASE WHEN p.circuit_opened_at <= t THEN p.circuit_opened_at ELSE '-infinity' END;
        reason := CASE WHEN told.refused IS NOT NULL THEN 'credentials refused' ELSE 'ambiguous answers' END;
        news := CASE
            WHEN p.circuit = 'closed' AND (told.refused IS NOT NULL AND NOT told.refused_before OR p.doubt >= 3) THEN 'opens'
            WHEN p.circuit <> 'half_open' THEN NULL
            WHEN told.answered > since THEN 'closes'
            WHEN told.refused > since OR (told.doubtful > since AND p.call_window IS NOT NULL) THEN 'opens'
            -- A probe that called nobody, or was not answered, told nothing: the next one goes soon.
            WHEN told.claimed > since THEN 'waits' END;
        CONTINUE WHEN news IS NULL;
        UPDATE onboarding.providers x
        SET circuit = CASE news WHEN 'closes' THEN 'closed' ELSE 'open' END,
            circuit_reason = CASE news WHEN 'opens' THEN reason WHEN 'waits' THEN x.circuit_reason END,
            circuit_opened_at = CASE WHEN news = 'closes' THEN NULL WHEN x.circuit = 'closed' THEN t ELSE x.circuit_opened_at END,
            circuit_failures = CASE news WHEN 'opens' THEN x.circuit_failures + 1 WHEN 'waits' THEN x.circuit_failures ELSE 0 END,
            -- 5 s, 10 s, 20 s … 5 min between probes.
            circuit_probe_at = CASE news WHEN 'opens' THEN t + least(interval '5 s' * 2 ^ least(x.circuit_failures, 10), interval '5 min')
                WHEN 'waits' THEN t + interval '1 s' END,
            -- One more doubtful end opens it again.
            call_window = CASE WHEN news = 'closes' THEN least(x.call_window, 1) ELSE x.call_window END,
            doubt = CASE WHEN news = 'closes' THEN least(x.doubt, 2) ELSE x.doubt END, updated_at = t
        WHERE x.provider = p.provider;
        IF news <> 'waits' THEN
            INSERT INTO onboarding.provider_events (provider, actor, event, reason)
            VALUES (p.provider, session_user, CASE news WHEN 'opens' THEN 'circuit_open' ELSE 'circuit_closed' END,
                CASE news WHEN 'opens' THEN reason ELSE 'the probe was answered' END);
        END IF;
    END LOOP;
END;
$$;

-- The index of what is behind another job of its order key does not know the state: a look keeps to its bound by what it walks,
-- however much of that is blocked.
CREATE OR REPLACE FUNCTION onboarding.count_backlog(at_most bigint) RETURNS TABLE (
    provider text, due bigint, scheduled bigint, running bigint, waiting bigint, uncertain bigint, blocked bigint
)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off AS $$
    -- Their index does not know the provider: one walk for all.
    WITH undecided AS (
        SELECT s.provider, s.state, count(*) AS jobs
        FROM ((SELECT j.provider, j.state FROM onboarding.jobs j WHERE j.state = 'waiting' LIMIT at_most)
            UNION ALL
            (SELECT j.provider, j.state FROM onboarding.jobs j WHERE j.state = 'uncertain' LIMIT at_most)) AS s
        GROUP BY 1, 2
    )
    SELECT p.provider,
        CASE WHEN first.jobs + behind.walked >= at_most THEN NULL ELSE first.due + behind.due END,
        CASE WHEN first.jobs + behind.walked >= at_most THEN NULL ELSE first.jobs - first.due + behind.jobs - behind.due END,
        (SELECT count(*) FROM onboarding.jobs j
            WHERE j.provider = p.provider AND j.state = 'running'
              -- Entries of those that ended before it stay while somebody holds a snapshot.
              AND j.claimed_at >= (SELECT m.running_since FROM onboarding.maintenance m)),
        (SELECT CASE WHEN sum(u.jobs) >= at_most THEN NULL
            ELSE coalesce(sum(u.jobs) FILTER (WHERE u.provider = p.provider), 0)::bigint END
            FROM undecided u WHERE u.state = 'waiting'),
        (SELECT CASE WHEN sum(u.jobs) >= at_most THEN NULL
            ELSE coalesce(sum(u.jobs) FILTER (WHERE u.provider = p.provider), 0)::bigint END
            FROM undecided u WHERE u.state = 'uncertain'),
        (SELECT CASE WHEN count(*) >= at_most THEN NULL ELSE count(*) END
            FROM (SELECT FROM onboarding.jobs j WHERE j.provider = p.provider AND j.state = 'blocked' LIMIT at_most) AS s)
    FROM onboarding.providers p
    CROSS JOIN LATERAL (
        SELECT count(*) AS jobs, count(*) FILTER (WHERE s.run_at <= now()) AS due
        FROM (SELECT j.run_at FROM onboarding.jobs j
            WHERE j.provider = p.provider AND j.state = 'available' AND NOT j.is_behind LIMIT at_most) AS s) AS first
    CROSS JOIN LATERAL (
        SELECT count(*) AS walked, count(*) FILTER (WHERE s.state = 'available') AS jobs,
            count(*) FILTER (WHERE s.state = 'available' AND s.run_at <= now()) AS due
        FROM (SELECT j.state, j.run_at FROM onboarding.jobs j
            WHERE j.provider = p.provider AND j.is_behind
              AND j.state IN ('blocked', 'available', 'running', 'waiting', 'uncertain')
            LIMIT at_most) AS s) AS behind;
$$;

-- One look, which says at once what it did not count to the end, and the whole count only where some of that is not known.
CREATE OR REPLACE FUNCTION onboarding.count_whole_backlog() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off AS $$
BEGIN
    -- One at a time; whoever comes second leaves it to the first.
    PERFORM FROM onboarding.maintenance FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN RETURN; END IF;
    WITH looked AS MATERIALIZED (
        SELECT * FROM onboarding.count_backlog(onboarding.counted_at_once())
    ), unknown AS (
        SELECT FROM looked s
        LEFT JOIN onboarding.backlog b ON b.provider = s.provider
            AND b.counted_at BETWEEN statement_timestamp() - interval '50 s' AND statement_timestamp()
        WHERE num_nulls(coalesce(s.due, b.due), coalesce(s.waiting, b.waiting), coalesce(s.uncertain, b.uncertain),
            coalesce(s.blocked, b.blocked)) > 0
    )
    INSERT INTO onboarding.backlog AS b (provider, due, scheduled, waiting, uncertain, blocked, counted_at)
    SELECT c.provider, CASE WHEN s.due IS NULL THEN c.due END, CASE WHEN s.due IS NULL THEN c.scheduled END,
        CASE WHEN s.waiting IS NULL THEN c.waiting END, CASE WHEN s.uncertain IS NULL THEN c.uncertain END,
        CASE WHEN s.blocked IS NULL THEN c.blocked END, statement_timestamp()
    FROM looked s JOIN onboarding.count_backlog(NULL) c USING (provider)
    WHERE EXISTS (SELECT FROM unknown)
    ON CONFLICT (provider) DO UPDATE SET due = excluded.due, scheduled = excluded.scheduled, waiting = excluded.waiting,
        uncertain = excluded.uncertain, blocked = excluded.blocked, counted_at = excluded.counted_at;
END;
$$;
