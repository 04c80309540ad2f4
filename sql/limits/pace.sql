-- The rate and burst that hold now: the operator's, or what refusals taught if that is less. Null: none.
-- Callers: `allowance`, `booked_until`, `use_permits`, `why_provider`.
-- Locks: none.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.pace(p onboarding.providers, t timestamptz, OUT rate double precision, OUT burst integer)
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    learnt double precision := CASE WHEN p.adaptive_rate IS NOT NULL THEN onboarding.learnt_rate(p, t) END;
BEGIN
    rate := least(p.rate_per_second, learnt);
    burst := CASE WHEN learnt < p.rate_per_second OR p.rate_per_second IS NULL
        THEN least(p.burst, 1 + (learnt / 20)::integer) ELSE coalesce(p.burst, 1) END;
END;
$$;
