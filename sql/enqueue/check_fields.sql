-- Refuses the first field that breaks its rule. A null in a field that is not required counts as absent.
-- Callers: `check_payload`.
-- Locks: none.
-- Errors: 23514 for `payload`, with the field's name and never with its value.
CREATE OR REPLACE FUNCTION onboarding.check_fields(kind_name text, rules jsonb, body jsonb) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    wrong record;
BEGIN
    SELECT rule.field, given.type, fault.problem INTO wrong
    FROM jsonb_each(rules) AS rule (field, value)
    CROSS JOIN LATERAL (SELECT jsonb_typeof(body -> rule.field), rule.value ? 'required') AS given (type, is_required)
    -- An object is not printed for nothing.
    CROSS JOIN LATERAL (SELECT CASE given.type WHEN 'string' THEN body ->> rule.field END) AS given_text (content)
    CROSS JOIN LATERAL (SELECT CASE
        WHEN given.type IS NULL AND given.is_required THEN 'is required'
        WHEN given.type = 'null' AND NOT given.is_required THEN NULL
        WHEN given.type <> rule.value ->> 'type' THEN
            'must be ' || CASE rule.value ->> 'type' WHEN 'boolean' THEN 'true or false' WHEN 'object' THEN 'an object'
                WHEN 'array' THEN 'an array' ELSE 'a ' || (rule.value ->> 'type') END
        WHEN length(content) < (rule.value ->> 'minLength')::integer THEN
            format('must have at least %s characters', rule.value ->> 'minLength')
        WHEN length(content) > (rule.value ->> 'maxLength')::integer THEN
            format('may have at most %s characters', rule.value ->> 'maxLength')
        WHEN content !~ (rule.value ->> 'pattern') THEN rule.value ->> 'meaning'
        WHEN NOT rule.value -> 'enum' ? content THEN CASE WHEN jsonb_array_length(rule.value -> 'enum') <= 12
            THEN 'must be one of ' || (SELECT string_agg(e, ', ') FROM jsonb_array_elements_text(rule.value -> 'enum') e)
            ELSE format('must be one of %s values', jsonb_array_length(rule.value -> 'enum')) END
        END) AS fault (problem)
    WHERE fault.problem IS NOT NULL
    LIMIT 1;
    IF wrong.problem = 'is required' THEN
        PERFORM onboarding.refuse('payload', format('lacks the field %s, which %s requires', wrong.field, kind_name));
    ELSIF FOUND THEN
        PERFORM onboarding.refuse('payload', format('is wrong in %s: %s', wrong.field, wrong.problem));
    END IF;
END;
$$;
