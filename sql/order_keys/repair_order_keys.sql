-- Finds order keys whose head is held behind a job that is gone: only where an INSERT and an end did not see each
-- other. Looks at up to `max_keys` from the key after (`from_provider`, `from_key`) on and returns the last one, null
-- at the end.
-- Callers: queries/repair_order_keys.sql.
-- Locks: the first job of each such key, if it is free.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.repair_order_keys(max_keys integer, INOUT from_provider text, INOUT from_key text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
DECLARE
    place record;
BEGIN
    FOR turn IN 1..max_keys LOOP
        SELECT b.provider, b.order_key INTO place FROM onboarding.jobs b
        WHERE b.is_behind AND b.state IN ('blocked', 'available', 'running', 'waiting', 'uncertain')
          AND (b.provider, b.order_key) > (coalesce(from_provider, ''), coalesce(from_key, ''))
        ORDER BY b.provider, b.order_key, b.id LIMIT 1;
        IF NOT FOUND THEN
            from_provider := NULL; from_key := NULL;
            RETURN;
        END IF;
        from_provider := place.provider; from_key := place.order_key;
        IF onboarding.advance_order_key(place.provider, place.order_key) THEN PERFORM pg_notify('onboarding_jobs', ''); END IF;
    END LOOP;
END;
$$;
