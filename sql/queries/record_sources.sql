-- Records the files that the database has now, instead of those before.
-- $1 names text[], $2 digests text[], $3 objects text[], $4 revision integer.
WITH gone AS (
    DELETE FROM onboarding.sources s WHERE s.name <> ALL ($1::text[])
), kept AS (
    UPDATE onboarding.sources s SET digest = f.digest, object = f.object, revision = $4::integer
    FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[]), pg_catalog.unnest($3::text[])) AS f (name, digest, object)
    WHERE s.name = f.name
    RETURNING s.name
)
INSERT INTO onboarding.sources (name, digest, object, revision)
SELECT f.name, f.digest, f.object, $4::integer
FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[]), pg_catalog.unnest($3::text[])) AS f (name, digest, object)
WHERE f.name NOT IN (SELECT k.name FROM kept k)
