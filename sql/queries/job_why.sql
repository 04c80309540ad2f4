-- Why a job is not running now.
-- $1 job bigint
-- Returns text columns; no row when nothing but a free slot is missing.
SELECT w.reason, coalesce(w.detail, '') AS detail, coalesce(w.until::text, '') AS until
FROM onboarding.why($1::bigint) AS w
