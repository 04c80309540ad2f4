-- Renews a worker's lease.
-- $1 worker text, $2 lease in milliseconds integer, $3 calls in flight integer, $4 draining boolean
-- Returns renewed boolean; false: the lease has ended and the worker must drop what it holds. And the database's clock in
-- milliseconds since 1970, bigint.
SELECT onboarding.renew_lease($1::text, $2::integer, $3::integer, $4::boolean) AS renewed,
    (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS clock_ms
