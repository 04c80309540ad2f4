-- Whether a job is in doubt after an attempt. `sent`: the attempt's own request may have had its effect; `proven`: a
-- look-up or an answer proved that no request before the claim had or will have one. What a fenced-out worker brought
-- since the claim (`keep_late`) is not covered by that proof.
-- Callers: `complete`.
-- Locks: none.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.is_in_doubt(last_sent_at timestamptz, late_doubt boolean, sent boolean, proven boolean)
RETURNS boolean LANGUAGE sql IMMUTABLE
RETURN CASE WHEN proven THEN late_doubt ELSE sent OR last_sent_at IS NOT NULL END;
