-- Fails jobs whose time is over.
-- $1 at most integer
-- Returns expired integer.
-- Index: jobs_expiry_idx
SELECT onboarding.expire_jobs($1::integer) AS expired
