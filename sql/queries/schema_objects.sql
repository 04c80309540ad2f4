-- Tells what a database has of the schema: tables, views, sequences and indexes, functions, constraints, triggers that are
-- switched on, and the roles that may use it.
-- No parameters.
-- Returns name text. No row where there is no schema.
WITH schema AS (SELECT n.oid, n.nspacl FROM pg_catalog.pg_namespace n WHERE n.nspname = 'onboarding')
SELECT c.relname::text AS name FROM schema s JOIN pg_catalog.pg_class c ON c.relnamespace = s.oid
UNION
SELECT p.proname::text FROM schema s JOIN pg_catalog.pg_proc p ON p.pronamespace = s.oid
UNION
SELECT c.conname::text FROM schema s JOIN pg_catalog.pg_constraint c ON c.connamespace = s.oid
UNION
SELECT t.tgname::text
FROM schema s JOIN pg_catalog.pg_class c ON c.relnamespace = s.oid JOIN pg_catalog.pg_trigger t ON t.tgrelid = c.oid
WHERE NOT t.tgisinternal AND t.tgenabled <> 'D'
UNION
SELECT r.rolname::text
FROM schema s CROSS JOIN LATERAL pg_catalog.aclexplode(s.nspacl) a JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
WHERE a.privilege_type = 'USAGE'
