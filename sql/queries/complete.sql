-- Writes the ends of attempts, each under its own token.
-- $1 worker text; then arrays with one entry an attempt: $2 job bigint, $3 token bigint, $4 claimed_at text,
-- $5 attempt integer, $6 step done text, $7 outcome text, $8 state text, $9 next step text, $10 delay in ms bigint,
-- $11 counted boolean, $12 may have reached boolean, $13 use of the key text, $14 HTTP status integer,
-- $15 request id text, $16 provider id text, $17 provider status text, $18 error text, $19 reason text,
-- $20 age of the send in ms bigint, $21 hold of the provider in ms bigint, $22 key text, $23 SHA-256 of the body bytea
-- Returns job_id bigint, claim_token bigint, written boolean, job_state text.
-- Index: jobs_pkey
SELECT c.job_id, c.claim_token, c.written, c.job_state
FROM onboarding.complete($1::text, $2::bigint[], $3::bigint[], $4::text[], $5::integer[]::smallint[], $6::text[],
    $7::text[], $8::text[], $9::text[], $10::bigint[], $11::boolean[], $12::boolean[], $13::text[], $14::integer[],
    $15::text[], $16::text[], $17::text[], $18::text[], $19::text[], $20::bigint[], $21::bigint[], $22::text[],
    $23::bytea[]) AS c
