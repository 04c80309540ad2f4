-- A row from a dump replaces the one that a migration has inserted already, so that data can be restored into a
-- migrated database: else a provider's pause, limits and horizon would be those of a new installation. The argument is
-- the key's column. For tables in which only the owner inserts.
-- Callers: `kinds_take_restored`, `maintenance_take_restored`, `migrations_take_restored`, `providers_take_restored`,
-- `sources_take_restored`.
-- Locks: the row that is replaced.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.take_restored_row() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    columns text := (
        SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_catalog.pg_attribute a
        WHERE a.attrelid = TG_RELID AND a.attnum > 0 AND NOT a.attisdropped);
    replaced bigint;
BEGIN
    EXECUTE format('UPDATE %1$s AS t SET (%2$s) = (SELECT %2$s FROM (SELECT ($1).*) AS r) WHERE t.%3$I = ($1).%3$I',
        TG_RELID::regclass, columns, TG_ARGV[0]) USING NEW;
    GET DIAGNOSTICS replaced = ROW_COUNT;
    IF replaced > 0 THEN RETURN NULL; END IF;
    RETURN NEW;
END;
$$;
