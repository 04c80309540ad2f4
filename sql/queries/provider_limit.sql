-- Changes a provider's limits that are given.
-- $1 provider text, $2 calls in flight integer, $3 calls a second double precision, $4 burst integer, $5 limits to take away text[]
-- Returns nothing of interest.
SELECT onboarding.limit_provider($1::text, $2::integer, $3::double precision, $4::integer, $5::text[])::text AS done
