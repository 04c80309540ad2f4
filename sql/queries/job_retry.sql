-- Makes a failed or cancelled job available again, and what was cancelled with it if asked for.
-- $1 job bigint, $2 reason text or NULL, $3 corrected payload text or NULL, $4 with dependents boolean
-- Returns dependents text: how many jobs were cancelled with it.
-- Index: jobs_after_idx
WITH dependents AS MATERIALIZED (SELECT count(*) AS many FROM onboarding.cancelled_with($1::bigint))
SELECT d.many::text AS dependents
FROM dependents d
CROSS JOIN LATERAL onboarding.retry($1::bigint, $2::text, $3::text::jsonb, $4::boolean AND d.many >= 0)
