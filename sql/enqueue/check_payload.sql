-- Refuses a payload that breaks the top level of its kind's contract (`kinds.fields`).
-- Callers: `check_new_job`, `retry`.
-- Locks: none.
-- Errors: 23514 for `payload`, with the field's name and never with its value.
CREATE OR REPLACE FUNCTION onboarding.check_payload(kind_name text, body jsonb) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    rules jsonb;
    variants record;
BEGIN
    SELECT k.fields INTO rules FROM onboarding.kinds k WHERE k.kind = kind_name;
    PERFORM onboarding.check_fields(kind_name, rules, body);
    FOR variants IN SELECT r.key AS field, r.value -> 'variants' AS rules FROM jsonb_each(rules) r WHERE r.value ? 'variants' LOOP
        PERFORM onboarding.check_fields(kind_name, variants.rules -> (body ->> variants.field), body);
    END LOOP;
END;
$$;
