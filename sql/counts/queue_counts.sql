-- The counts of `queue_health`. A function of its own, since planning the statement would take longer than running it.
-- A count above the bound of a look is as old as the last whole count: about a minute at most while a worker lives.
-- Where there is none of the last five minutes it counts everything by itself.
-- Callers: `queue_health`.
-- Locks: none.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.queue_counts() RETURNS TABLE (
    provider text, due bigint, scheduled bigint, running bigint, waiting bigint, uncertain bigint, blocked bigint,
    completed_last_hour bigint, failed_last_hour bigint, oldest_due_age_seconds double precision
)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off AS $$
    WITH ended AS (
        -- A minute belongs to the hour as long as a part of it does.
        SELECT e.provider, e.completed, e.failed FROM onboarding.ended_by_minute e
        WHERE e.minute > statement_timestamp() - interval '61 minutes'
        UNION ALL
        -- What was moved into sums keeps entries while somebody holds a snapshot: passed by, but for those that commit late.
        SELECT e.provider, e.completed, e.failed
        FROM onboarding.maintenance m
        JOIN onboarding.ended e ON e.at > greatest(statement_timestamp() - interval '61 minutes',
            least(coalesce(m.counted_until, '-infinity'), statement_timestamp()) - interval '5 minutes')
    )
    SELECT s.provider, coalesce(s.due, l.due), coalesce(s.scheduled, l.scheduled), s.running, coalesce(s.waiting, l.waiting),
        coalesce(s.uncertain, l.uncertain), coalesce(s.blocked, l.blocked), coalesce(h.completed, 0), coalesce(h.failed, 0), o.age
    FROM onboarding.known_backlog('5 minutes') s
    LEFT JOIN LATERAL (
        -- Runs only where something has not been counted.
        SELECT c.due, c.scheduled, c.waiting, c.uncertain, c.blocked FROM onboarding.count_backlog(NULL) c
        WHERE c.provider = s.provider AND num_nulls(s.due, s.waiting, s.uncertain, s.blocked) > 0
        LIMIT 1) AS l ON true
    CROSS JOIN LATERAL (
        SELECT extract(epoch FROM now() - min(oldest.run_at))::double precision AS age
        FROM generate_series(0, 9) AS priorities (priority)
        CROSS JOIN LATERAL (
            SELECT j.run_at FROM onboarding.jobs j
            WHERE j.provider = s.provider AND j.state = 'available' AND NOT j.is_behind AND j.priority = priorities.priority
              AND j.run_at <= now()
            ORDER BY j.run_at LIMIT 1) AS oldest) AS o
    LEFT JOIN (
        SELECT e.provider, sum(e.completed)::bigint AS completed, sum(e.failed)::bigint AS failed FROM ended e GROUP BY 1) AS h
        ON h.provider = s.provider;
$$;
