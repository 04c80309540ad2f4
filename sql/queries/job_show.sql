-- One job without payload and key, a row a property.
-- $1 job bigint
-- Returns name text, value text; nothing where there is no such job.
SELECT p.name, p.value
FROM onboarding.jobs j
CROSS JOIN LATERAL (VALUES
    (1, 'job', j.id::text), (2, 'kind', j.kind), (3, 'state', j.state), (4, 'reference', j.reference),
    (5, 'unique key', j.unique_key), (6, 'order key', j.order_key), (7, 'priority', j.priority::text),
    (8, 'attempts', j.attempt || ' of ' || j.max_attempts), (9, 'next step', CASE WHEN j.state = 'available' THEN j.step END),
    (10, 'created', j.created_at::text), (11, 'run at', j.run_at::text), (12, 'expires', j.expires_at::text),
    (13, 'finished', j.finished_at::text), (14, 'waits for job', j.after_job_id::text),
    (15, 'claimed by', CASE WHEN j.state = 'running' THEN j.claimed_by END),
    (16, 'provider id', j.provider_id), (17, 'provider status', j.provider_status), (18, 'decision', j.decision),
    (19, 'last outcome', j.last_outcome), (20, 'last HTTP status', j.last_http_status::text),
    (21, 'last error', j.last_error), (22, 'payload bytes', j.payload_bytes::text)) AS p (place, name, value)
WHERE j.id = $1::bigint AND p.value IS NOT NULL
ORDER BY p.place
