-- Cancels a job.
-- $1 job bigint, $2 reason text or NULL
-- Returns the state afterwards.
SELECT onboarding.cancel($1::bigint, $2::text) AS state
