-- Tells which program's functions, views and triggers a database has.
-- No parameters.
-- Returns revision integer; 0 for none.
SELECT coalesce(max(s.revision), 0) AS revision FROM onboarding.sources s
