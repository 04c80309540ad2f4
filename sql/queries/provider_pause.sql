-- Stops claiming a provider's jobs.
-- $1 provider text, $2 reason text or NULL, $3 how long in ms bigint or NULL
-- Returns nothing of interest.
SELECT onboarding.pause_provider($1::text, $2::text,
    CASE WHEN $3::bigint IS NULL THEN 'infinity' ELSE now() + $3::bigint * interval '1 ms' END)::text AS done
