-- Makes a failed or cancelled job available again.
-- $1 job bigint, $2 reason text or NULL, $3 corrected payload text or NULL
-- Returns nothing of interest.
SELECT 'available' AS state FROM onboarding.retry($1::bigint, $2::text, $3::text::jsonb)
