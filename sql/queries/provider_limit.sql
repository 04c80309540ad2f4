-- Sets a provider's limits; NULL is none.
-- $1 provider text, $2 calls in flight integer, $3 calls a second double precision, $4 burst integer
-- Returns nothing of interest.
SELECT onboarding.limit_provider($1::text, $2::integer, $3::double precision, $4::integer)::text AS done
