-- Counts a job that ends otherwise than by an attempt.
-- Callers: `state_changes_count_end`.
-- Locks: none.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.count_end() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO onboarding.ended (provider, completed, failed)
    SELECT j.provider, (NEW.to_state = 'completed')::integer, (NEW.to_state = 'failed')::integer
    FROM onboarding.jobs j WHERE j.id = NEW.job_id;
    RETURN NULL;
END;
$$;
