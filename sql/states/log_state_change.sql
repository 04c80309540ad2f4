-- Records a state change that no attempt explains, with the session's user as its author.
-- Callers: `cancel`.
-- Locks: none.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.log_state_change(job bigint, from_state text, to_state text, why text) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO onboarding.state_changes (job_id, from_state, to_state, actor, reason)
    VALUES (job, from_state, to_state, session_user, why);
$$;
