-- Until when the provider is held; null for a hold that was set before the clock was set back.
-- Callers: `allowance`, `learnt_rate`, `note_throttle`, `queue_health`, `why_provider`, queries/providers_list.sql.
-- Locks: none.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.hold_end(p onboarding.providers, t timestamptz) RETURNS timestamptz
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN p.held_until <= t + interval '24 h' AND (p.throttled_at IS NULL OR p.throttled_at <= t + interval '1 s')
        THEN p.held_until END;
$$;
