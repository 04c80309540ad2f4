-- Tells whether the schema is of a later program than one that knows these.
-- $1 migration integer, $2 revision integer.
-- Returns is_newer boolean, is_breaking boolean: whether a migration that the program does not know is breaking.
SELECT max(m.version) > $1::integer OR (SELECT max(s.revision) FROM onboarding.sources s) > $2::integer AS is_newer,
    coalesce(bool_or(m.is_breaking) FILTER (WHERE m.version > $1::integer), false) AS is_breaking
FROM onboarding.migrations m
