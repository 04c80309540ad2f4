-- The rate that refusals taught, as it has grown since the last hold, at most a hundred thousand calls a second; null:
-- none, or none for five minutes.
-- Callers: `note_throttle`, `pace`, `queue_health`, `use_permits`, queries/providers_list.sql.
-- Locks: none.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.learnt_rate(p onboarding.providers, t timestamptz) RETURNS double precision
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT least(100000, p.adaptive_rate * (1 + 0.25 * s.age / p.rate_doubling + (s.age / p.rate_doubling) ^ 3))
    FROM (SELECT greatest(0, extract(epoch FROM t - greatest(p.throttled_at, onboarding.hold_end(p, t))))::double precision) AS s (age)
    -- `least` ignores null.
    WHERE s.age <= 300 AND p.adaptive_rate IS NOT NULL);
END;
$$;
