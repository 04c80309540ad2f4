-- How many calls may be in flight while it is not known that the provider is well; null: any number. Each call that
-- ends well lets an eighth of a call more in, each that ends in doubt halves them, and a minute without either begins
-- anew.
-- Callers: `allowance`, `note_trial`, `permits`, `why_provider`.
-- Locks: none.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.trial_window(p onboarding.providers, t timestamptz) RETURNS double precision
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN p.tried_at BETWEEN t - interval '1 min' AND t + interval '1 s' THEN CASE WHEN p.call_window < 64 THEN p.call_window END
        WHEN p.call_window IS NOT NULL THEN least(p.call_window, 4) END;
$$;
