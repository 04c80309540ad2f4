-- Stops all workers from claiming the provider's jobs, until a time or until resumed.
-- Callers: operators; queries/provider_pause.sql.
-- Locks: the provider's row.
-- Errors: 23514 for an unknown provider or a time that has passed.
CREATE OR REPLACE FUNCTION onboarding.pause_provider(provider text, reason text DEFAULT NULL, until timestamptz DEFAULT 'infinity')
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    p onboarding.providers := onboarding.lock_provider(provider);
BEGIN
    IF coalesce(pause_provider.until, 'infinity') <= now() THEN PERFORM onboarding.refuse('until', 'must be in the future'); END IF;
    UPDATE onboarding.providers x
    SET paused_until = coalesce(pause_provider.until, 'infinity'), pause_reason = pause_provider.reason, updated_at = now()
    WHERE x.provider = p.provider;
    INSERT INTO onboarding.provider_events (provider, actor, event, reason)
    VALUES (p.provider, session_user, 'paused', pause_provider.reason);
END;
$$;
