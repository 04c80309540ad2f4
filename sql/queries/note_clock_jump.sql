-- Notes that the database's clock jumped.
-- $1 by how many milliseconds bigint, negative: back
-- Returns moved integer: how many waiting jobs became due earlier; 5000: call it again.
SELECT onboarding.note_clock_jump($1::bigint) AS moved
