-- The time that one call takes up at the given rate (the emission interval of the generic cell rate algorithm). Without
-- a burst calls are spaced 6 % wider than the rate asks, so that calls which travel at different speeds still arrive
-- below it.
-- Callers: `allowance`, `booked_until`, `use_permits`, `why_provider`.
-- Locks: none.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.rate_cell(rate double precision, burst integer) RETURNS interval
LANGUAGE sql IMMUTABLE
RETURN make_interval(secs => CASE WHEN coalesce(burst, 1) = 1 THEN 1.06 ELSE 1 END / rate);
