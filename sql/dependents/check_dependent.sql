-- Runs when the caller's transaction commits: the job waited for may have ended since the INSERT, or be about to. Takes
-- as long for each of a thousand dependents as for one.
-- Callers: `jobs_check_dependent`.
-- Locks: none on the job waited for, which the reference of the INSERT holds in place already; its dependents, if they
-- are free.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.check_dependent() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
    parent record;
BEGIN
    -- One call settles them all.
    PERFORM FROM onboarding.jobs j WHERE j.id = NEW.id AND coalesce(j.state, '') = 'blocked';
    IF NOT FOUND THEN RETURN NULL; END IF;
    SELECT j.state, j.xmin::text = pg_current_xact_id()::xid::text AS is_own INTO parent FROM onboarding.jobs j WHERE j.id = NEW.after_job_id;
    IF parent.state IN ('completed', 'failed', 'cancelled') THEN
        PERFORM onboarding.settle_dependents(ARRAY[NEW.after_job_id]);
    ELSIF NOT parent.is_own THEN
        PERFORM onboarding.note_unsettled(NEW.after_job_id);
    END IF;
    RETURN NULL;
END;
$$;
