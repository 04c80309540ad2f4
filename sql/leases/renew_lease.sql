-- Renews a lease that has not ended. False: it has, its jobs are being taken over, and the worker must drop them.
-- Callers: queries/renew_lease.sql.
-- Locks: the lease; then leases that lie in the future (`shorten_leases`).
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.renew_lease(worker_id text, lease_ms integer, calls integer, is_draining boolean)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    t timestamptz := clock_timestamp();
    is_renewed boolean;
BEGIN
    UPDATE onboarding.worker_leases w
    SET last_seen_at = t, lease_expires_at = t + lease_ms * interval '1 ms',
        in_flight = calls, draining = is_draining
    WHERE w.id = worker_id AND w.lease_expires_at > clock_timestamp();
    is_renewed := FOUND;
    PERFORM onboarding.shorten_leases(t);
    RETURN is_renewed;
END;
$$;
