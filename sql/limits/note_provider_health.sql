-- Applies the ends of a batch to the providers' circuits, holds and trials. Reads nothing where a batch can tell
-- nothing.
-- Callers: `complete`.
-- Locks: the providers' rows in the order of their names, 0.1 s each at most; one that somebody holds is passed by,
-- since the next batch tells as much.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.note_provider_health(
    job_ids bigint[], tokens bigint[], outcomes text[], http_statuses integer[], holds_ms bigint[], concerned text[])
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' AS $$
DECLARE
    told record;
    p onboarding.providers;
    t timestamptz := clock_timestamp();
    since timestamptz;
    news text;
    reason text;
BEGIN
    IF NOT outcomes && ARRAY['throttled', 'unauthorized'] AND array_remove(holds_ms, NULL) = '{}' AND NOT EXISTS (
        SELECT 1 FROM onboarding.providers x
        WHERE x.circuit = 'half_open' OR (x.call_window IS NOT NULL AND x.provider = ANY (concerned)))
    THEN RETURN; END IF;
    FOR told IN
        SELECT j.provider,
            max(j.claimed_at) FILTER (WHERE b.outcome = 'throttled' OR b.hold_ms IS NOT NULL) AS throttled, max(b.hold_ms) AS asked_ms,
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
        BEGIN
            PERFORM 1 FROM onboarding.providers x WHERE x.provider = told.provider FOR NO KEY UPDATE;
        EXCEPTION WHEN lock_not_available THEN
            -- An operator holds the row: results do not wait for that. The next batch tells as much of the provider.
            CONTINUE;
        END;
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
            call_window = CASE WHEN news = 'closes' AND x.call_window > 1 THEN 1 ELSE x.call_window END,
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
