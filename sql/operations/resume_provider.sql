-- Lets claiming go on: ends a pause and a hold, and lets an open circuit be probed at once.
-- Callers: operators; queries/provider_resume.sql.
-- Locks: the provider's row.
-- Errors: 23514 for an unknown provider.
CREATE OR REPLACE FUNCTION onboarding.resume_provider(provider text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    p onboarding.providers := onboarding.lock_provider(provider);
BEGIN
    UPDATE onboarding.providers x
    SET paused_until = NULL, pause_reason = NULL, held_until = NULL, adaptive_rate = NULL, throttle_streak = 0,
        circuit_probe_at = CASE WHEN x.circuit = 'closed' THEN NULL ELSE now() END, updated_at = now()
    WHERE x.provider = p.provider;
    INSERT INTO onboarding.provider_events (provider, actor, event) VALUES (p.provider, session_user, 'resumed');
    PERFORM pg_notify('onboarding_jobs', '');
END;
$$;
