-- Takes over jobs of workers whose lease has ended, and lost ones of the worker itself.
-- $1 worker that does it text, $2 at most integer, $3 tokens in hand bigint[]
-- Returns taken integer.
-- Index: jobs_running_idx
SELECT onboarding.take_over($1::text, $2::integer, $3::bigint[]) AS taken
