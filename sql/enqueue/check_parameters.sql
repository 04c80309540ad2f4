-- Refuses parameters that the worker does not know, or that hold no id.
-- Callers: `check_new_job`.
-- Locks: none.
-- Errors: 23514 for `parameters`, with the field's name and never with its value.
CREATE OR REPLACE FUNCTION onboarding.check_parameters(parameters jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    entry record;
BEGIN
    FOR entry IN SELECT p.key, p.value FROM jsonb_each(parameters) p LOOP
        IF NOT EXISTS (SELECT FROM onboarding.kinds k WHERE entry.key = ANY (k.parameters)) THEN
            PERFORM onboarding.refuse('parameters', format('has the unknown field %L; known are %s', left(entry.key, 40),
                (SELECT string_agg(DISTINCT p, ', ' ORDER BY p) FROM onboarding.kinds k, unnest(k.parameters) p)));
        END IF;
        IF jsonb_typeof(entry.value) <> 'string' OR (entry.value #>> '{}') !~ '^[A-Za-z0-9_:-][A-Za-z0-9_.:-]{0,99}$' THEN
            PERFORM onboarding.refuse('parameters', format('must hold an id of 1 to 100 letters, digits, _ : - . (no . in front) in %s', entry.key));
        END IF;
    END LOOP;
END;
$$;
