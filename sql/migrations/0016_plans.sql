-- A session keeps the plans that it has made, also those made while the table was empty: they must be good when it is not. And
-- no look is longer than its bound.
INSERT INTO onboarding.migrations (version, name) VALUES (16, 'plans');

CREATE OR REPLACE FUNCTION onboarding.note_provider_health(
    job_ids bigint[], tokens bigint[], outcomes text[], http_statuses integer[], holds_ms bigint[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF 'throttled' = ANY (outcomes) THEN
        UPDATE onboarding.providers p
        SET held_until = greatest(p.held_until, now() + h.hold_ms * interval '1 ms'), updated_at = now()
        FROM (
            SELECT j.provider, max(b.hold_ms) AS hold_ms FROM unnest(job_ids, holds_ms) AS b (id, hold_ms)
            JOIN onboarding.jobs j ON j.id = ANY (ARRAY[b.id]) WHERE b.hold_ms IS NOT NULL GROUP BY j.provider ORDER BY j.provider) h
        WHERE p.provider = h.provider;
    END IF;
    IF 'unauthorized' = ANY (outcomes) THEN
        WITH opened AS (
            UPDATE onboarding.providers p
            SET circuit = 'open', circuit_reason = 'credentials refused',
                circuit_opened_at = CASE WHEN p.circuit = 'closed' THEN now() ELSE p.circuit_opened_at END,
                circuit_failures = p.circuit_failures + CASE WHEN p.circuit = 'open' THEN 0 ELSE 1 END,
                -- 5 s, 10 s, 20 s … 5 min between probes.
                circuit_probe_at = CASE WHEN p.circuit = 'open' THEN p.circuit_probe_at
                    ELSE now() + least(interval '5 s' * 2 ^ least(p.circuit_failures, 10), interval '5 min') END,
                updated_at = now()
            FROM (
                SELECT j.provider, bool_and(coalesce((
                    SELECT a.outcome = 'unauthorized' FROM onboarding.attempts a
                    WHERE a.job_id = b.id AND a.claim_token <> b.token AND NOT a.late
                    ORDER BY a.finished_at DESC LIMIT 1), false)) AS again
                FROM unnest(job_ids, tokens, outcomes) AS b (id, token, outcome)
                JOIN onboarding.jobs j ON j.id = ANY (ARRAY[b.id]) WHERE b.outcome = 'unauthorized'
                GROUP BY j.provider ORDER BY j.provider) u
            WHERE p.provider = u.provider AND NOT (u.again AND p.circuit = 'closed')
            RETURNING p.provider
        )
        INSERT INTO onboarding.provider_events (provider, actor, event, reason)
        SELECT o.provider, session_user, 'circuit_open', 'credentials refused' FROM opened o;
    END IF;
    IF EXISTS (SELECT 1 FROM onboarding.providers p WHERE p.circuit = 'half_open') THEN
        WITH told AS (
            SELECT j.provider, bool_or(b.outcome <> 'unauthorized' AND b.http_status IS NOT NULL) AS is_answered
            FROM unnest(job_ids, outcomes, http_statuses) AS b (id, outcome, http_status)
            JOIN onboarding.jobs j ON j.id = ANY (ARRAY[b.id])
            WHERE b.outcome <> 'unauthorized'
            GROUP BY j.provider
        ), probed AS (
            UPDATE onboarding.providers p
            SET circuit = CASE WHEN t.is_answered THEN 'closed' ELSE 'open' END,
                circuit_reason = CASE WHEN t.is_answered THEN NULL ELSE p.circuit_reason END,
                circuit_opened_at = CASE WHEN t.is_answered THEN NULL ELSE p.circuit_opened_at END,
                -- A probe that called nobody, or was not answered, told nothing: the next one goes soon.
                circuit_probe_at = CASE WHEN t.is_answered THEN NULL ELSE now() + interval '1 s' END,
                circuit_failures = CASE WHEN t.is_answered THEN 0 ELSE p.circuit_failures END, updated_at = now()
            FROM told t
            WHERE p.provider = t.provider AND p.circuit = 'half_open'
            RETURNING p.provider, p.circuit
        )
        INSERT INTO onboarding.provider_events (provider, actor, event, reason)
        SELECT c.provider, session_user, 'circuit_closed', 'the probe was answered' FROM probed c WHERE c.circuit = 'closed';
    END IF;
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
