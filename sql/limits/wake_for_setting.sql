-- Wakes the workers that wait for a provider's limit or pause when somebody changes it.
-- Callers: the trigger `providers_wake`.
-- Locks: no row. The notification takes a lock of the whole cluster at the commit.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.wake_for_setting() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT onboarding.is_preparing() THEN PERFORM pg_notify('onboarding_jobs', NEW.provider); END IF;
    RETURN NULL;
END;
$$;
