-- Writes that requests may have been sent, before they are.
-- $1 worker text, $2 job bigint[], $3 token bigint[]
-- Returns job_id bigint: the jobs that are still this worker's; no other may be sent.
-- Index: jobs_pkey
SELECT m.job_id
FROM onboarding.mark_sent($1::text, $2::bigint[], $3::bigint[]) AS m (job_id)
