-- Wakes the workers of all providers.
-- Callers: `advance_order_keys`, `settle_dependents`.
-- Locks: no row. The notification takes a lock of the whole cluster at the commit.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.wake_all() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pg_notify('onboarding_jobs', '') WHERE NOT onboarding.is_preparing();
END;
$$;
