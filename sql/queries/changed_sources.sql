-- Compares the files of functions, views, triggers and grants with those that the database has.
-- $1 names text[], $2 texts text[].
-- Returns name text, digest text, is_changed boolean, object text; no digest for one that is not among the files.
SELECT coalesce(f.name, s.name) AS name, f.digest, s.digest IS DISTINCT FROM f.digest AS is_changed, s.object
FROM (SELECT u.name, pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(u.text, 'UTF8')), 'hex') AS digest
    FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) AS u (name, text)) AS f
FULL JOIN onboarding.sources s ON s.name = f.name
