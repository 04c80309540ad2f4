-- Refuses a payload that breaks the top level of its kind's contract, `rules` (`kinds.fields`): names the first field that does.
-- A null in a field that is not required counts as absent. The rules that a field's value chooses (`variants`) come last.
-- A loop, not a query: its expressions are prepared once in a transaction, those of a query for each job (twice the time).
-- Callers: `check_new_job`, `check_retry`.
-- Locks: none.
-- Errors: 23514 for `payload`, with the field's name and never with its value.
CREATE OR REPLACE FUNCTION onboarding.check_payload(kind_name text, rules jsonb, body jsonb) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    rule_sets jsonb[] := ARRAY[rules];
    field text;
    rule jsonb;
    given text;
    content text;
    problem text;
BEGIN
    FOR i IN 1 .. 2 LOOP
        FOR field, rule IN SELECT r.key, r.value FROM jsonb_each(rule_sets[i]) r LOOP
            given := jsonb_typeof(body -> field);
            IF given IS NULL AND rule ? 'required' THEN
                PERFORM onboarding.refuse('payload', format('lacks the field %s, which %s requires', field, kind_name));
            END IF;
            CONTINUE WHEN given IS NULL OR (given = 'null' AND NOT rule ? 'required');
            -- An object is not printed for nothing.
            content := CASE given WHEN 'string' THEN body ->> field END;
            problem := CASE
                WHEN given <> rule ->> 'type' THEN
                    'must be ' || CASE rule ->> 'type' WHEN 'boolean' THEN 'true or false' WHEN 'object' THEN 'an object'
                        WHEN 'array' THEN 'an array' ELSE 'a ' || (rule ->> 'type') END
                WHEN length(content) < (rule ->> 'minLength')::integer THEN
                    format('must have at least %s characters', rule ->> 'minLength')
                WHEN length(content) > (rule ->> 'maxLength')::integer THEN
                    format('may have at most %s characters', rule ->> 'maxLength')
                WHEN content !~ (rule ->> 'pattern') THEN rule ->> 'meaning'
                WHEN NOT rule -> 'enum' ? content THEN onboarding.one_of(rule -> 'enum')
                END;
            IF problem IS NOT NULL THEN
                PERFORM onboarding.refuse('payload', format('is wrong in %s: %s', field, problem));
            END IF;
            IF rule ? 'variants' THEN rule_sets[2] := coalesce(rule_sets[2], '{}') || coalesce(rule -> 'variants' -> content, '{}'); END IF;
        END LOOP;
    END LOOP;
END;
$$;
