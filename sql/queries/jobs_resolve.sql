-- Ends the doubt about many uncertain jobs; each verdict stands alone.
-- $1 verdicts text (a JSON array of objects with job_id, verdict and provider_id), $2 note text or NULL
-- Returns job_id text, state text, problem text.
SELECT r.job_id::text AS job_id, coalesce(r.state, '') AS state, coalesce(r.problem, '') AS problem
FROM onboarding.resolve_jobs($1::text::jsonb, $2::text) AS r
