-- Refuses a text that is empty or too long.
-- Callers: `check_new_job`.
-- Locks: none.
-- Errors: 23514 with the field, always.
CREATE OR REPLACE FUNCTION onboarding.refuse_length(field text, value text) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    SELECT onboarding.refuse(field, format('must have 1 to 255 characters, not %s', length(value)));
$$;
