-- Writes the ends of attempts, each under its own token.
-- Arrays with one entry an attempt: $1 job bigint, $2 token bigint, $3 worker text, $4 claimed_at text,
-- $5 attempt integer, $6 step done text, $7 outcome text, $8 state text, $9 next step text, $10 delay in ms bigint,
-- $11 counted boolean, $12 may have reached boolean, $13 absence is proved boolean, $14 use of the key text,
-- $15 look-ups in a row that told nothing integer (null: as before), $16 HTTP status integer,
-- $17 request id text, $18 provider id text, $19 provider status text, $20 error text, $21 reason text,
-- $22 age of the send in ms bigint, $23 hold that the provider asked for in ms bigint, $24 key text,
-- $25 SHA-256 of the body bytea, $26 SHA-256 of the request bytea
-- Returns job_id bigint, claim_token bigint, written boolean, job_state text.
-- Index: jobs_pkey
SELECT c.job_id, c.claim_token, c.written, c.job_state
FROM onboarding.complete($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::integer[]::smallint[], $6::text[],
    $7::text[], $8::text[], $9::text[], $10::bigint[], $11::boolean[], $12::boolean[], $13::boolean[], $14::text[],
    $15::integer[], $16::integer[], $17::text[], $18::text[], $19::text[], $20::text[], $21::text[], $22::bigint[],
    $23::bigint[], $24::text[], $25::bytea[], $26::bytea[]) AS c
