-- Replaces the login as the author of an entry by the person for whom its program acts.
-- Callers: the triggers `provider_events_name_actor` and `state_changes_name_actor`.
-- Locks: none.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.name_actor() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.actor = session_user THEN NEW.actor := onboarding.actor(); END IF;
    RETURN NEW;
END;
$$;
