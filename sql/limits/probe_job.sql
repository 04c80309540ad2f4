-- The due job that probes an open circuit: none that was refused itself while there is another, since it may be refused
-- alone. Any of the first hundred of each priority: bad jobs that stand together, or are many, do not keep the circuit
-- open.
-- Callers: `claim`.
-- Locks: none.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.probe_job(provider_name text, t timestamptz) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off AS $$
BEGIN
    RETURN (SELECT d.id
    FROM generate_series(0, 9) AS p (priority)
    CROSS JOIN LATERAL (
        SELECT q.id FROM onboarding.jobs q
        WHERE q.state = 'available' AND NOT q.is_behind AND q.provider = provider_name AND q.priority = p.priority AND q.run_at <= t
          AND (q.expires_at IS NULL OR q.expires_at > t OR q.last_sent_at IS NOT NULL) AND q.last_outcome IS DISTINCT FROM 'unauthorized'
        ORDER BY q.run_at, q.id LIMIT 100) d
    ORDER BY random() LIMIT 1);
END;
$$;
