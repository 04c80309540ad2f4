-- Counts the whole backlog where a look cannot, at most once a minute: one look, and the whole count only where some of
-- it is not known.
-- Callers: workers, about once a minute; queries/count_backlog.sql.
-- Locks: the row of `maintenance`, if it is free.
-- Errors: none.
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
