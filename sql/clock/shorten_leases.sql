-- A lease that was given in the future was given before the clock was set back: it ends when it would if given now.
-- Callers: `register_worker`, `renew_lease`.
-- Locks: those leases.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.shorten_leases(t timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE onboarding.worker_leases w SET lease_expires_at = t + (w.lease_expires_at - w.last_seen_at), last_seen_at = t
    WHERE w.last_seen_at > t + interval '1 s' AND w.lease_expires_at > w.last_seen_at;
END;
$$;
