-- Takes over jobs of workers that are gone; thoroughly, also the reaper's own old claims that it does not hold.
-- $1 reaper text, $2 suspects bigint[], $3 jobs at most integer, $4 thoroughly boolean
-- Returns taken integer: how many.
-- Index: jobs_running_idx
SELECT onboarding.take_over($1::text, $2::bigint[], $3::integer, $4::boolean) AS taken
