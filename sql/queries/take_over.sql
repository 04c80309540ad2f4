-- Takes over jobs of workers whose lease has ended.
-- $1 worker that does it text, $2 at most integer
-- Returns taken integer.
-- Index: jobs_running_idx
SELECT onboarding.take_over($1::text, $2::integer) AS taken
