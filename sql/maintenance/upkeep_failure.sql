-- A failure of one step as `upkeep_failures` keeps it. Called in exception handlers.
-- Callers: `delete_finished`, `drop_history`, `maintain`, `make_partitions`.
-- Locks: none.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.upkeep_failure(step text, code text, problem text) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT jsonb_build_object('step', step, 'code', code, 'problem', left(problem, 300));
$$;
