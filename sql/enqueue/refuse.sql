-- Raises the error for one wrong field. The row itself is not shown: a constraint's own error would print it.
-- Callers: `check_new_job`, `check_parameters`, `check_payload`, `check_retry`, `doubt_unfinished`,
-- `enqueue`, `limit_provider`, `lock_provider`, `pause_provider`, `refuse_length`, `resolve`, `resolve_jobs`,
-- `state_after_job`.
-- Locks: none.
-- Errors: 23514 (check_violation) with the name of the field as COLUMN, always.
CREATE OR REPLACE FUNCTION onboarding.refuse(field text, problem text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'onboarding: % %', field, problem USING ERRCODE = 'check_violation', COLUMN = field;
END;
$$;
