-- Tells whether anything is due, running, waiting for another attempt, or blocked on what is.
-- $1 providers text[]
-- Returns has_work boolean. A job that its caller scheduled for later, and that never ran, does not count.
-- Index: jobs_claim_idx, jobs_running_idx, jobs_blocked_idx
SELECT onboarding.has_work($1::text[]) AS has_work
