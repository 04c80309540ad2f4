-- What holds the oldest snapshot: nothing newer can be vacuumed, and every queue table grows. A function, since
-- pg_stat_activity shows other users' sessions to its caller, not to a view's owner. Sessions that the owner may not see
-- are counted: one of them may hold an older snapshot than all that are listed.
-- Callers: `vacuum_horizon`.
-- Locks: none.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.snapshot_holders()
RETURNS TABLE (holder text, name text, owner text, state text, since timestamptz, age integer)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
SELECT 'transaction' AS holder, a.pid::text AS name, a.usename::text AS owner, a.state, a.xact_start AS since,
    age(a.backend_xmin) AS age
FROM pg_catalog.pg_stat_activity a WHERE a.backend_xmin IS NOT NULL AND a.pid <> pg_backend_pid()
UNION ALL
SELECT 'replication slot', s.slot_name::text, NULL, CASE WHEN s.active THEN 'active' ELSE 'inactive' END, NULL,
    greatest(age(s.xmin), age(s.catalog_xmin))
FROM pg_catalog.pg_replication_slots s WHERE s.xmin IS NOT NULL OR s.catalog_xmin IS NOT NULL
UNION ALL
SELECT 'prepared transaction', x.gid, x.owner::text, NULL, x.prepared, age(x.transaction)
FROM pg_catalog.pg_prepared_xacts x
UNION ALL
SELECT 'sessions that cannot be seen', count(*)::text, string_agg(DISTINCT a.usename, ', ' ORDER BY a.usename),
    format('GRANT pg_read_all_stats TO %I;', current_user), NULL, NULL
FROM pg_catalog.pg_stat_activity a WHERE a.query = '<insufficient privilege>' AND a.usesysid IS NOT NULL
HAVING count(*) > 0
ORDER BY age DESC NULLS LAST;
$$;
