-- How long ago a request may last have been sent, in milliseconds: never longer than the clock has been watched, since
-- a jump ahead makes recent sends look old. One in the future was sent before the clock was set back, if that is known.
-- Callers: `claim`.
-- Locks: none.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.sent_age_ms(last_sent_at timestamptz, t timestamptz, watched_since timestamptz, set_back_at timestamptz)
RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN last_sent_at IS NULL THEN NULL WHEN last_sent_at > t AND last_sent_at > coalesce(set_back_at, t) THEN 0
        ELSE greatest(0, onboarding.milliseconds(t - greatest(CASE WHEN last_sent_at <= t THEN last_sent_at END, watched_since))) END;
$$;
