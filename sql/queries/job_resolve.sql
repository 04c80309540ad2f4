-- Ends the doubt about an uncertain job.
-- $1 job bigint, $2 verdict text, $3 provider id text or NULL, $4 note text or NULL
-- Returns the state afterwards.
SELECT onboarding.resolve($1::bigint, $2::text, $3::text, $4::text) AS state
