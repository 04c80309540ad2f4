-- Signs a worker on.
-- $1 worker text, $2 host text, $3 version text, $4 slots integer, $5 providers text[], $6 lease in milliseconds integer,
-- $7 longest call in milliseconds integer
-- Returns is_new boolean, null when the name is taken, and unwatched_ms bigint.
SELECT r.is_new, r.unwatched_ms
FROM onboarding.register_worker($1::text, $2::text, $3::text, $4::integer, $5::text[], $6::integer, $7::integer) AS r
