-- The time from `t` until `moment` in milliseconds, 1 to 3,600,000.
-- Callers: `allowance`.
-- Locks: none.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.milliseconds_until(moment timestamptz, t timestamptz) RETURNS integer
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN moment > t + interval '1 hour' THEN 3600000
    ELSE greatest(1, ceil(extract(epoch FROM moment - t) * 1000))::integer END;
