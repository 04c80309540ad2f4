-- The jobs that have not ended, by provider and what they wait for. A count that reaches `at_most` stops and is null;
-- those of jobs that wait for a decision or are uncertain stop for all providers together. Null counts all. The index
-- of jobs behind another of their order key does not know the state: a look bounds the entries that it walks, however
-- many of them are blocked.
-- Callers: `count_whole_backlog`, `known_backlog`, `queue_counts`.
-- Locks: none.
-- Errors: none.
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
