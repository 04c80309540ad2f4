-- Lets a provider's jobs be claimed again.
-- $1 provider text
-- Returns nothing of interest.
SELECT onboarding.resume_provider($1::text)::text AS done
