-- Signs a worker off; its jobs are taken over at once. The time of the clock is kept for the next one to sign on,
-- unless somebody holds that row.
-- Callers: queries/remove_worker.sql.
-- Locks: the lease, then the row of `maintenance` if it is free.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.remove_worker(worker_id text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM onboarding.worker_leases w WHERE w.id = worker_id;
    PERFORM 1 FROM onboarding.maintenance FOR NO KEY UPDATE SKIP LOCKED;
    IF FOUND THEN UPDATE onboarding.maintenance m SET clock_seen_at = clock_timestamp(); END IF;
END;
$$;
