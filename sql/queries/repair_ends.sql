-- Sees to ends that could not be settled because somebody had locked what depends on them.
-- $1 ends at most integer
-- Returns repaired integer: how many were tried.
-- Index: unsettled_ends_at_idx
SELECT onboarding.repair_ends($1::integer) AS repaired
