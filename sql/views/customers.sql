-- The records that completed jobs made at their providers.
-- Callers: operators and monitors.
CREATE OR REPLACE VIEW onboarding.customers AS
SELECT j.provider, j.kind, j.provider_id, j.reference, j.provider_status AS status, j.decision,
    j.finished_at AS created_at, j.id AS job_id
FROM onboarding.jobs j
WHERE j.state IN ('completed', 'waiting') AND j.provider_id IS NOT NULL;
