-- Tells which values a field may have: all of a few, the number of many.
-- Callers: `check_payload`.
-- Locks: none.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.one_of(known jsonb) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN jsonb_array_length(known) <= 12
        THEN 'must be one of ' || (SELECT string_agg(e, ', ') FROM jsonb_array_elements_text(known) e)
        ELSE format('must be one of %s values', jsonb_array_length(known)) END;
$$;
