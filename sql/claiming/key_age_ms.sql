-- How old a key is, in milliseconds: a hundred years where the clock was set back since its first use, since it may be
-- older than it looks.
-- Callers: `claim`.
-- Locks: none.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.key_age_ms(first_sent_at timestamptz, t timestamptz, set_back_at timestamptz)
RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN first_sent_at > t OR first_sent_at < set_back_at THEN 3155760000000 ELSE onboarding.milliseconds(t - first_sent_at) END;
$$;
