-- Tells what the functions, views and triggers of the schema are called by DROP.
-- No parameters.
-- Returns name text, object text; one row for each overload of a function.
SELECT p.proname::text AS name, 'FUNCTION ' || p.oid::pg_catalog.regprocedure AS object
FROM pg_catalog.pg_proc p WHERE p.pronamespace = 'onboarding'::pg_catalog.regnamespace
UNION ALL
SELECT c.relname::text, 'VIEW ' || c.oid::pg_catalog.regclass
FROM pg_catalog.pg_class c WHERE c.relnamespace = 'onboarding'::pg_catalog.regnamespace AND c.relkind = 'v'
UNION ALL
SELECT t.tgname::text, pg_catalog.format('TRIGGER %I ON %s', t.tgname, t.tgrelid::pg_catalog.regclass)
FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
WHERE c.relnamespace = 'onboarding'::pg_catalog.regnamespace AND NOT t.tgisinternal AND t.tgparentid = 0
