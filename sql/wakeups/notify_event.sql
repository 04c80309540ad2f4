-- Tells listeners the new state of one job.
-- Callers: `cancel`, `expire_jobs`, `resolve`, `settle_dependents`, `settle_late_successes`.
-- Locks: no row. The notification takes a lock of the whole cluster at the commit.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.notify_event(job bigint, state text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pg_notify('onboarding_events', format('{"job_id": %s, "state": "%s"}', job, state)) WHERE NOT onboarding.is_preparing();
END;
$$;
