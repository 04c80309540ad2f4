-- Signs a worker off.
-- $1 worker text
-- Returns nothing of interest.
SELECT onboarding.remove_worker($1::text)::text AS removed
