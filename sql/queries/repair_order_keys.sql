-- Lets go what stands behind a job that has gone, a few order keys at a time.
-- $1 at most integer, $2 provider of the last key looked at text[], $3 that key text[]; of one entry, NULL from the start
-- Returns from_provider text, from_key text: the last one looked at; NULL when all were.
-- Index: jobs_behind_idx
SELECT r.from_provider, r.from_key FROM onboarding.repair_order_keys($1::integer, ($2::text[])[1], ($3::text[])[1]) AS r
