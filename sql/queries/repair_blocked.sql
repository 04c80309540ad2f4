-- Lets go or cancels jobs that wait for one that has ended, a few at a time.
-- $1 jobs at most integer, $2 id after which to go on bigint (null: from the start)
-- Returns last_id bigint: the last one looked at, null at the end.
-- Index: jobs_blocked_id_idx
SELECT onboarding.repair_blocked($1::integer, $2::bigint) AS last_id
