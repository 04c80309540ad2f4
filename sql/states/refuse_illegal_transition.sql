-- Refuses an illegal change of state, whoever writes.
-- Callers: `jobs_legal_transition`.
-- Locks: none.
-- Errors: 23514 for `state`, always.
CREATE OR REPLACE FUNCTION onboarding.refuse_illegal_transition() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'onboarding: job % cannot go from % to %', OLD.id, OLD.state, NEW.state
        USING ERRCODE = 'check_violation', COLUMN = 'state';
END;
$$;
