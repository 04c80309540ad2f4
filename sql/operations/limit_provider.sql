-- Changes the limits of a provider that are given, and no other. `unlimited` names those that are taken away, such as
-- '{burst}'. The same as an UPDATE, with a record of who did it.
-- Callers: operators; queries/provider_limit.sql.
-- Locks: the provider's row.
-- Errors: 23514 for an unknown provider, a wrong limit or a wrong name.
CREATE OR REPLACE FUNCTION onboarding.limit_provider(
    provider text, max_in_flight integer DEFAULT NULL, rate_per_second double precision DEFAULT NULL,
    burst integer DEFAULT NULL, unlimited text[] DEFAULT '{}') RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    p onboarding.providers := onboarding.lock_provider(provider);
BEGIN
    IF NOT unlimited <@ ARRAY['max_in_flight', 'rate_per_second', 'burst'] THEN
        PERFORM onboarding.refuse('unlimited', 'may name max_in_flight, rate_per_second and burst');
    END IF;
    UPDATE onboarding.providers x
    SET max_in_flight = CASE WHEN 'max_in_flight' = ANY (unlimited) THEN NULL
            ELSE coalesce(limit_provider.max_in_flight, x.max_in_flight) END,
        rate_per_second = CASE WHEN 'rate_per_second' = ANY (unlimited) THEN NULL
            ELSE coalesce(limit_provider.rate_per_second, x.rate_per_second) END,
        burst = CASE WHEN 'burst' = ANY (unlimited) THEN NULL ELSE coalesce(limit_provider.burst, x.burst) END,
        updated_at = now()
    WHERE x.provider = p.provider
    RETURNING * INTO p;
    INSERT INTO onboarding.provider_events (provider, actor, event, reason)
    VALUES (p.provider, session_user, 'limited', format('max_in_flight %s, rate_per_second %s, burst %s',
        coalesce(p.max_in_flight::text, 'none'), coalesce(p.rate_per_second::text, 'none'), coalesce(p.burst::text, 'none')));
    PERFORM pg_notify('onboarding_jobs', p.provider);
END;
$$;
