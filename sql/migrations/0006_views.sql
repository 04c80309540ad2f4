-- What can be watched (design, section 3.4). No view shows a payload or a key.
INSERT INTO onboarding.migrations (version, name) VALUES (6, 'views');

CREATE VIEW onboarding.transitions AS
SELECT j.id AS job_id, NULL::text AS from_state,
    CASE WHEN j.state = 'blocked' OR EXISTS (
        SELECT 1 FROM onboarding.state_changes s WHERE s.job_id = j.id AND s.from_state = 'blocked')
        THEN 'blocked' ELSE 'available' END AS to_state,
    j.created_at AS at, 'caller'::text AS actor, 'enqueued'::text AS reason
FROM onboarding.jobs j
UNION ALL
SELECT a.job_id, 'available', 'running', a.claimed_at, a.worker, 'claimed'
FROM onboarding.attempts a WHERE NOT a.late
UNION ALL
SELECT a.job_id, 'running', a.next_state, a.finished_at, a.worker, a.reason
FROM onboarding.attempts a WHERE NOT a.late
UNION ALL
SELECT j.id, 'available', 'running', j.claimed_at, j.claimed_by, 'claimed'
FROM onboarding.jobs j WHERE j.state = 'running'
UNION ALL
SELECT s.job_id, s.from_state, s.to_state, s.at, s.actor, s.reason
FROM onboarding.state_changes s WHERE s.from_state <> s.to_state;

-- The processes whose lease has not ended.
CREATE VIEW onboarding.workers AS
SELECT w.id, w.host, w.version, w.started_at, w.last_seen_at, w.lease_expires_at, w.in_flight, w.concurrency, w.draining,
    w.providers
FROM onboarding.worker_leases w WHERE w.lease_expires_at > now();

CREATE VIEW onboarding.customers AS
SELECT j.provider, j.kind, j.provider_id, j.reference, j.provider_status AS status, j.decision,
    j.finished_at AS created_at, j.id AS job_id
FROM onboarding.jobs j
WHERE j.state IN ('completed', 'waiting') AND j.provider_id IS NOT NULL;

CREATE VIEW onboarding.queue_health AS
SELECT p.provider, q.due, q.scheduled, q.running, q.waiting, q.uncertain, q.blocked,
    h.completed AS completed_last_hour, h.failed AS failed_last_hour, q.oldest_due_age_seconds,
    coalesce(p.paused_until > now(), false) AS paused, p.circuit
FROM onboarding.providers p
CROSS JOIN LATERAL (
    SELECT
        (SELECT count(*) FROM onboarding.jobs j
            WHERE j.provider = p.provider AND j.state = 'available' AND NOT j.is_behind AND j.run_at <= now())
        + (SELECT count(*) FROM onboarding.jobs j
            WHERE j.provider = p.provider AND j.state = 'available' AND j.is_behind AND j.run_at <= now()) AS due,
        (SELECT count(*) FROM onboarding.jobs j
            WHERE j.provider = p.provider AND j.state = 'available' AND NOT j.is_behind AND j.run_at > now())
        + (SELECT count(*) FROM onboarding.jobs j
            WHERE j.provider = p.provider AND j.state = 'available' AND j.is_behind AND j.run_at > now()) AS scheduled,
        (SELECT count(*) FROM onboarding.jobs j WHERE j.provider = p.provider AND j.state = 'running') AS running,
        (SELECT count(*) FROM onboarding.jobs j WHERE j.provider = p.provider AND j.state = 'waiting') AS waiting,
        (SELECT count(*) FROM onboarding.jobs j WHERE j.provider = p.provider AND j.state = 'uncertain') AS uncertain,
        (SELECT count(*) FROM onboarding.jobs j WHERE j.provider = p.provider AND j.state = 'blocked') AS blocked,
        (SELECT extract(epoch FROM now() - min(o.run_at))::double precision
            FROM generate_series(0, 9) AS priorities (priority)
            CROSS JOIN LATERAL (
                SELECT j.run_at FROM onboarding.jobs j
                WHERE j.provider = p.provider AND j.state = 'available' AND NOT j.is_behind AND j.priority = priorities.priority
                  AND j.run_at <= now()
                ORDER BY j.run_at LIMIT 1) o) AS oldest_due_age_seconds
) q
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE j.state = 'completed') AS completed, count(*) FILTER (WHERE j.state = 'failed') AS failed
    FROM onboarding.jobs j WHERE j.finished_at > now() - interval '1 hour' AND j.provider = p.provider
) h;

CREATE VIEW onboarding.failed_jobs AS
SELECT j.id AS job_id, j.kind, j.reference, j.finished_at AS failed_at, j.attempt, j.last_outcome, j.last_http_status,
    j.last_error AS reason, -- The same request would be refused again.
    format(CASE WHEN j.last_outcome IN ('rejected', 'invalid_payload')
        THEN 'SELECT onboarding.retry(%s, ''<why>'', payload => ''<corrected payload>'');'
        ELSE 'SELECT onboarding.retry(%s, ''<why>'');' END, j.id) AS statement
FROM onboarding.jobs j WHERE j.state = 'failed';

CREATE VIEW onboarding.uncertain_jobs AS
SELECT j.id AS job_id, j.kind, j.reference, j.updated_at AS since, j.attempt, j.last_outcome, j.last_http_status,
    j.last_error AS reason,
    format('SELECT onboarding.resolve(%s, ''happened'', ''<id at the provider>'', ''<who looked where>''); -- or: SELECT onboarding.resolve(%s, ''did_not_happen'', note => ''<who looked where>'');',
        j.id, j.id) AS statement
FROM onboarding.jobs j WHERE j.state = 'uncertain';

-- What holds the oldest snapshot: nothing newer can be vacuumed, and every queue table grows. A function,
-- since pg_stat_activity shows the sessions of others to its caller, not to a view's owner.
CREATE FUNCTION onboarding.snapshot_holders()
RETURNS TABLE (holder text, name text, owner text, state text, since timestamptz, age integer)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
SELECT 'transaction' AS holder, a.pid::text AS name, a.usename::text AS owner, a.state, a.xact_start AS since,
    age(a.backend_xmin) AS age
FROM pg_catalog.pg_stat_activity a WHERE a.backend_xmin IS NOT NULL AND a.pid <> pg_backend_pid()
UNION ALL
SELECT 'replication slot', s.slot_name::text, NULL, CASE WHEN s.active THEN 'active' ELSE 'inactive' END, NULL,
    greatest(age(s.xmin), age(s.catalog_xmin))
FROM pg_catalog.pg_replication_slots s WHERE s.xmin IS NOT NULL OR s.catalog_xmin IS NOT NULL
UNION ALL
SELECT 'prepared transaction', x.gid, x.owner::text, NULL, x.prepared, age(x.transaction)
FROM pg_catalog.pg_prepared_xacts x
ORDER BY age DESC;
$$;

CREATE VIEW onboarding.vacuum_horizon AS
SELECT h.holder, h.name, h.owner, h.state, h.since, h.age FROM onboarding.snapshot_holders() h;
