-- Until when calls are booked; null for what is further ahead than can have been booked: under a slower rate, or before
-- the clock was set back.
-- Callers: `allowance`, `use_permits`, `why_provider`.
-- Locks: none.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.booked_until(p onboarding.providers, t timestamptz) RETURNS timestamptz
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT CASE WHEN p.rate_due_at <= t + onboarding.rate_cell(r.rate, r.burst) * (2 * r.burst) + interval '1 s' THEN p.rate_due_at END
    FROM onboarding.pace(p, t) AS r);
END;
$$;
