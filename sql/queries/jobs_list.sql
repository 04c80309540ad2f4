-- Lists jobs, newest first.
-- $1 state text or NULL, $2 kind text or NULL, $3 reference text or NULL, $4 at most integer
-- Returns text columns.
SELECT j.id::text, j.kind, j.state, j.attempt::text, coalesce(j.reference, '') AS reference,
    to_char(j.run_at, 'YYYY-MM-DD HH24:MI:SS') AS run_at, coalesce(j.provider_id, '') AS provider_id, coalesce(j.last_error, '') AS last_error
FROM onboarding.jobs j
WHERE ($1::text IS NULL OR j.state = $1::text) AND ($2::text IS NULL OR j.kind = $2::text)
  AND ($3::text IS NULL OR j.reference = $3::text)
ORDER BY j.id DESC
LIMIT $4::integer
