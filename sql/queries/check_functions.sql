-- Checks the bodies of functions, which were made before what they name.
-- $1 names text[].
-- Returns name text. Fails as CREATE FUNCTION does.
SELECT p.proname::text AS name,
    CASE l.lanname WHEN 'plpgsql' THEN pg_catalog.plpgsql_validator(p.oid) WHEN 'sql' THEN pg_catalog.fmgr_sql_validator(p.oid) END
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language l ON l.oid = p.prolang
WHERE p.pronamespace = 'onboarding'::pg_catalog.regnamespace AND p.proname = ANY ($1::text[])
