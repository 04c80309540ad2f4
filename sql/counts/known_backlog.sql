-- What a look shows of the backlog: its own counts and, for those that stopped, the last whole ones while those are
-- younger than `max_age`. Null where there is none.
-- Callers: `queue_counts`.
-- Locks: none.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.known_backlog(max_age interval) RETURNS TABLE (
    provider text, due bigint, scheduled bigint, running bigint, waiting bigint, uncertain bigint, blocked bigint
)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
    SELECT s.provider, coalesce(s.due, b.due), coalesce(s.scheduled, b.scheduled), s.running, coalesce(s.waiting, b.waiting),
        coalesce(s.uncertain, b.uncertain), coalesce(s.blocked, b.blocked)
    FROM onboarding.count_backlog(onboarding.counted_at_once()) s
    LEFT JOIN onboarding.backlog b ON b.provider = s.provider
        AND b.counted_at BETWEEN statement_timestamp() - max_age AND statement_timestamp();
$$;
