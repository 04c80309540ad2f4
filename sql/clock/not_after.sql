-- The moment, or `t` where it lies after `t`: it was written before the clock was set back. Null for none.
-- Callers: `resolve`, `retry`.
-- Locks: none.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.not_after(moment timestamptz, t timestamptz) RETURNS timestamptz LANGUAGE sql IMMUTABLE
RETURN CASE WHEN moment > t THEN t ELSE moment END;
