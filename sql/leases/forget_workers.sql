-- Deletes leases that ended more than a minute ago and have no running job left, but that of the reaper itself.
-- Callers: `take_over`, when it found nothing to take over.
-- Locks: those leases, passing by those that are locked.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.forget_workers(reaper text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM onboarding.worker_leases w
    WHERE w.id = ANY (ARRAY(
        SELECT l.id FROM onboarding.worker_leases l
        WHERE l.lease_expires_at < clock_timestamp() - interval '1 minute' AND l.id <> reaper
          AND NOT onboarding.has_running(l.id)
        FOR UPDATE SKIP LOCKED));
END;
$$;
