-- The processes whose lease has not ended.
-- Callers: operators and monitors; queries/needs_person.sql.
CREATE OR REPLACE VIEW onboarding.workers AS
SELECT w.id, w.host, w.version, w.started_at, w.last_seen_at, w.lease_expires_at, w.in_flight, w.concurrency, w.draining,
    w.providers
FROM onboarding.worker_leases w WHERE w.lease_expires_at > now();
