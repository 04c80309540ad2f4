-- Which of these jobs nobody has locked at this moment.
-- $1 jobs bigint[]
-- Returns id bigint.
-- Index: jobs_pkey
SELECT u.id FROM onboarding.unlocked_jobs($1::bigint[]) AS u (id)
