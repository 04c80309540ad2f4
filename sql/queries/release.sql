-- Gives claims back that never began.
-- $1 job bigint[], $2 token bigint[], $3 why text
-- Returns job_id bigint: the jobs that were given back.
-- Index: jobs_pkey
SELECT r.job_id
FROM onboarding.release($1::bigint[], $2::bigint[], $3::text) AS r (job_id)
