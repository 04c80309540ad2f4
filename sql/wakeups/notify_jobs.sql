-- Wakes the workers of the new job's provider, once a transaction. Runs at the commit, not at the INSERT: a transaction
-- may stay open for long after it and must not delay other wake-ups. Runs as its owner, since whoever commits need not
-- be who inserted. Called for each row, of which the first is enough: it has no settings of its own, which would cost
-- more than the rest, and so writes every name in full.
-- Callers: `jobs_notify`.
-- Locks: none.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.notify_jobs() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    already_woken pg_catalog.text := pg_catalog.current_setting('onboarding.has_woken', true);
BEGIN
    IF pg_catalog.strpos(already_woken, pg_catalog.concat(' ', NEW.provider, ' ')) OPERATOR(pg_catalog.>) 0 THEN
        RETURN NULL;
    END IF;
    PERFORM onboarding.wake_workers(NEW.provider, already_woken);
    RETURN NULL;
END;
$$;
