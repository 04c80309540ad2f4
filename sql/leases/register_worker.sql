-- Signs a worker on. `is_new` is null when its name is taken. `unwatched_ms` is null while another worker watches the
-- database's clock; else by how much the clock was set back meanwhile, as far as can be told, at most 0. The worker
-- reports that (`note_clock_jump`): no age from before is trusted.
-- Callers: queries/register_worker.sql.
-- Locks: the lease of that name; then leases that lie in the future (`shorten_leases`).
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.register_worker(
    worker_id text, host_name text, program_version text, slots integer, served text[], lease_ms integer,
    call_ms integer DEFAULT 0, OUT is_new boolean, OUT unwatched_ms bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    t timestamptz := clock_timestamp();
BEGIN
    INSERT INTO onboarding.worker_leases (id, host, version, last_seen_at, lease_expires_at, concurrency, providers, call_timeout)
    VALUES (worker_id, host_name, program_version, t, t + lease_ms * interval '1 ms', slots, served, call_ms * interval '1 ms')
    ON CONFLICT (id) DO NOTHING
    RETURNING true INTO is_new;
    IF is_new AND NOT EXISTS (
        SELECT 1 FROM onboarding.worker_leases w
        WHERE w.id <> worker_id AND w.lease_expires_at > t AND w.last_seen_at <= t)
    THEN
        unwatched_ms := least(0, onboarding.milliseconds(t - (
            SELECT greatest(max(w.last_seen_at), max(m.clock_seen_at))
            FROM onboarding.maintenance m LEFT JOIN onboarding.worker_leases w ON w.id <> worker_id)));
        unwatched_ms := coalesce(unwatched_ms, 0);
    END IF;
    PERFORM onboarding.shorten_leases(t);
END;
$$;
