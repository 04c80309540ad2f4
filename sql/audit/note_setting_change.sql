-- Records which settings a statement has changed in a row, with their values before and after, and who did it.
-- TG_ARGV: the key's column or `none`, then the columns that are settings; without columns, all are.
-- Callers: the triggers `providers_note_change`, `kinds_note_change` and `maintenance_note_change`.
-- Locks: none.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.note_setting_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET intervalstyle = 'postgres' AS $$
DECLARE
    before jsonb;
    after jsonb;
BEGIN
    SELECT jsonb_object_agg(o.key, o.value), jsonb_object_agg(o.key, n.value) INTO before, after
    FROM jsonb_each(to_jsonb(OLD)) o
    JOIN jsonb_each(to_jsonb(NEW)) n ON n.key = o.key
    WHERE o.value IS DISTINCT FROM n.value AND (TG_NARGS <= 1 OR o.key = ANY (TG_ARGV[1:]));
    IF before IS NOT NULL THEN
        INSERT INTO onboarding.setting_changes (actor, relation, object, old_values, new_values)
        VALUES (onboarding.actor(), TG_TABLE_NAME, to_jsonb(NEW) ->> TG_ARGV[0], before, after);
    END IF;
    RETURN NULL;
END;
$$;
