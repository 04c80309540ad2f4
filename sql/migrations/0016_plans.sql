-- A session keeps the plans that it has made, also those made while the table was empty: they must be good when it is not. And
-- no look is longer than its bound.
INSERT INTO onboarding.migrations (version, name) VALUES (16, 'plans');

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
