-- How long after its last byte a request to the provider may have its effect: what the provider's row says and, where
-- that is the default or more, at least eight seconds more than the longest call of a live worker. A value below the
-- default is the choice of somebody who knows the provider, and is taken as it is.
-- Callers: `claim`, `resolve`, `retry`.
-- Locks: none.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.effect_horizon(provider_name text) RETURNS interval
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT CASE WHEN p.effect_horizon < interval '120 s' THEN p.effect_horizon
        ELSE greatest(p.effect_horizon, (
            SELECT max(w.call_timeout) + interval '8 s' FROM onboarding.worker_leases w
            WHERE w.lease_expires_at > clock_timestamp())) END
    FROM onboarding.providers p WHERE p.provider = provider_name);
END;
$$;
