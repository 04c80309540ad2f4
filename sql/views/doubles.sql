-- Second records that a job is known to have at a provider, and provider ids that two jobs share.
-- Callers: operators and monitors; queries/needs_person.sql.
CREATE OR REPLACE VIEW onboarding.doubles AS
SELECT 'second_record' AS double, j.kind, j.id AS job_id, NULL::bigint AS other_job_id, j.reference, j.provider_id,
    l.provider_id AS other_provider_id, l.at AS since,
    format('worker %s brought a second record of job %s', l.worker, j.id) AS reason
FROM onboarding.late_successes l
JOIN onboarding.jobs j ON j.id = l.job_id
WHERE j.provider_id <> l.provider_id
UNION ALL
SELECT 'shared_id', j.kind, j.id, o.id, j.reference, j.provider_id, o.provider_id, s.at,
    format('jobs %s and %s have the same record', j.id, o.id)
FROM onboarding.shared_ids s
JOIN onboarding.jobs j ON j.id = s.job_id
JOIN onboarding.jobs o ON o.id = s.other_job_id
WHERE j.provider_id = o.provider_id;
