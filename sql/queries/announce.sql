-- Tells callers that wait what became of jobs; a hint, sent after the results were committed.
-- $1 job bigint[], $2 state text[]
-- Returns nothing.
SELECT onboarding.announce($1::bigint[], $2::text[])
