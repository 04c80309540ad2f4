-- Tells whether anything is due, running, waiting for another attempt, or blocked on what is.
-- $1 providers text[]
-- Returns has_work boolean. A job that its caller scheduled for later, and that never ran, does not count.
-- Index: jobs_claim_idx, jobs_running_idx, jobs_blocked_idx
SELECT EXISTS (
        SELECT 1 FROM onboarding.jobs j
        WHERE j.state = 'available' AND j.provider = ANY ($1::text[]) AND (j.run_at <= now() OR j.backoff_step > 0))
    OR EXISTS (
        SELECT 1 FROM onboarding.jobs j
        WHERE j.state = 'running' AND j.provider = ANY ($1::text[]))
    OR EXISTS (
        SELECT 1 FROM onboarding.jobs j
        JOIN onboarding.jobs a ON a.id = j.after_job_id
        WHERE j.state = 'blocked' AND j.provider = ANY ($1::text[]) AND a.provider = ANY ($1::text[])
          AND (a.state = 'running' OR (a.state = 'available' AND (a.run_at <= now() OR a.backoff_step > 0)))) AS has_work
