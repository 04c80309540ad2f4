-- Tells which migrations a database has.
-- $1 known integer, the newest migration of the program.
-- Returns version integer: the newest migration; is_breaking boolean: whether one after the known ones is breaking. Fails with
-- 42P01 or 3F000 where there is no schema yet.
SELECT coalesce(max(m.version), 0) AS version,
    coalesce(bool_or(m.is_breaking) FILTER (WHERE m.version > $1::integer), false) AS is_breaking
FROM onboarding.migrations m
