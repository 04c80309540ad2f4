-- The tokens that a worker claimed more than ten seconds ago and that are running still.
-- $1 worker text
-- Returns token bigint.
-- Index: jobs_running_idx
SELECT c.token FROM onboarding.old_claims($1::text) AS c (token)
