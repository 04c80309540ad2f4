-- Tells which migrations a database has.
-- No parameters.
-- Returns version integer: the newest migration. Fails with 42P01 or 3F000 where there is no schema yet.
SELECT coalesce(max(m.version), 0) AS version
FROM onboarding.migrations m
