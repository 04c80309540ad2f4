-- Where a partition ends; null for the one that takes the rest.
-- Callers: `add_partition`, `drop_history`.
-- Locks: none.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.partition_end(partition oid) RETURNS timestamptz
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO' AS $$
    SELECT substring(pg_get_expr(c.relpartbound, c.oid) FROM 'TO \(''([^'']+)''\)')::timestamptz FROM pg_catalog.pg_class c WHERE c.oid = partition;
$$;
