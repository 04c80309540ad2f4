-- The steps of maintenance that fail.
-- No parameters.
-- Returns step text, since text (RFC 3339, UTC), code text. Not the error's text, which a trigger of others may have written.
SELECT f.step, to_char(f.since AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS since, f.code
FROM onboarding.upkeep_failures f
ORDER BY f.since, f.step
