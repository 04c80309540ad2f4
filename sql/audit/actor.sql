-- Who acts: the person whom a program names for whom it acts (`onboarding.actor`), else the login.
-- Callers: `name_actor`, `note_setting_change`, `provider_events_name_actor`, `state_changes_name_actor`.
-- Locks: none.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.actor() RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(nullif(current_setting('onboarding.actor', true), ''), session_user);
$$;
