-- The row of a provider, locked.
-- Callers: `doubt_unfinished`, `limit_provider`, `pause_provider`, `resume_provider`.
-- Locks: the provider's row.
-- Errors: 23514 for a provider that is not known.
CREATE OR REPLACE FUNCTION onboarding.lock_provider(provider_name text) RETURNS onboarding.providers
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    p onboarding.providers;
BEGIN
    SELECT * INTO p FROM onboarding.providers x WHERE x.provider = provider_name FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        PERFORM onboarding.refuse('provider', format('%L is not known; known are %s', provider_name,
            (SELECT string_agg(x.provider, ', ' ORDER BY x.provider) FROM onboarding.providers x)));
    END IF;
    RETURN p;
END;
$$;
