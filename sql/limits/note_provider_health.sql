-- Applies the ends of a batch to the providers' circuits, holds and trials. Reads nothing where a batch can tell
-- nothing. A job that becomes uncertain without a call, since a lost worker may have sent it, tells nothing of its provider.
-- Callers: `complete`.
-- Locks: the providers' rows in the order of their names, 0.1 s each at most; one that somebody holds is passed by,
-- since the next batch tells as much.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.note_provider_health(
    job_ids bigint[], tokens bigint[], outcomes text[], http_statuses integer[], holds_ms bigint[], reached boolean[],
    concerned text[])
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' AS $$
DECLARE
    told record;
    p onboarding.providers;
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
            max(j.claimed_at) FILTER (WHERE j.state = 'uncertain' AND b.reached) AS doubtful,
            count(*) FILTER (WHERE j.state = 'uncertain' AND b.reached) AS doubts,
            max(j.claimed_at) AS claimed
        FROM (
            SELECT u.*, u.http_status IS NOT NULL AND u.outcome NOT IN ('unauthorized', 'throttled') AS is_answered
            FROM unnest(job_ids, tokens, outcomes, http_statuses, holds_ms, reached)
            AS u (id, token, outcome, http_status, hold_ms, reached)) b
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
        PERFORM onboarding.note_circuit(
            told.provider, told.refused, told.refused_before, told.answered, told.doubtful, told.claimed);
    END LOOP;
END;
$$;
