-- The invariants of the campaign. Each query gives one row a violation: a job's number (or null) and what is wrong.

-- invariant: every committed job is there
SELECT e.job_id, 'the caller committed it and it is gone' FROM chaos.enqueued e
WHERE NOT EXISTS (SELECT 1 FROM onboarding.jobs j WHERE j.id = e.job_id)

-- invariant: every job has ended
SELECT j.id, j.state || ' at ' || j.step || ': ' || coalesce(j.last_error, '') FROM onboarding.jobs j
WHERE j.state NOT IN ('completed', 'failed', 'cancelled', 'uncertain')

-- invariant: at most one effect for each job
SELECT j.id, count(*) || ' effects: ' || string_agg(l.provider_id || ' at ' || l.at, ', ') FROM onboarding.jobs j
JOIN chaos.ledger l ON l.body_sha256 = j.body_sha256
GROUP BY j.id HAVING count(*) > 1

-- invariant: no effect without a job
SELECT NULL::bigint, l.provider || ' ' || l.provider_id FROM chaos.ledger l
WHERE NOT EXISTS (SELECT 1 FROM onboarding.jobs j WHERE j.body_sha256 = l.body_sha256)

-- invariant: completed means one effect, and its id is in the row
SELECT j.id, 'row ' || coalesce(j.provider_id, 'none') || ', ledger ' || coalesce(l.provider_id, 'none') FROM onboarding.jobs j
LEFT JOIN chaos.ledger l ON l.body_sha256 = j.body_sha256
WHERE j.state = 'completed' AND (l.provider_id IS DISTINCT FROM j.provider_id)

-- invariant: failed and cancelled mean no effect
SELECT j.id, j.state || ' ' || coalesce(j.last_error, '') || ', but ' || l.provider_id || ' exists' FROM onboarding.jobs j
JOIN chaos.ledger l ON l.body_sha256 = j.body_sha256
WHERE j.state IN ('failed', 'cancelled')

-- invariant: uncertain only where the provider gives no way to know
SELECT j.id, j.kind || ': ' || coalesce(j.last_error, '') FROM onboarding.jobs j
WHERE j.state = 'uncertain' AND j.provider <> 'connect'

-- invariant: an uncertain job keeps its evidence in sight
SELECT j.id, 'late evidence of ' || a.provider_id || ' did not end the doubt' FROM onboarding.jobs j
JOIN onboarding.attempts a ON a.job_id = j.id AND a.late AND a.provider_id IS NOT NULL
WHERE j.state = 'uncertain'

-- invariant: every transition is legal
SELECT t.job_id, coalesce(t.from_state, '') || ' to ' || t.to_state FROM onboarding.transitions t
WHERE t.from_state <> t.to_state AND NOT (t.from_state, t.to_state) IN (
    ('blocked', 'available'), ('blocked', 'cancelled'), ('available', 'running'), ('available', 'cancelled'),
    ('available', 'failed'), ('running', 'completed'), ('running', 'available'), ('running', 'waiting'),
    ('running', 'uncertain'), ('running', 'failed'), ('running', 'cancelled'), ('uncertain', 'completed'),
    ('uncertain', 'available'), ('uncertain', 'cancelled'), ('failed', 'available'), ('cancelled', 'available'))

-- invariant: each job's transitions hang together
SELECT t.job_id, format('%s times into %s, %s times out of it', t.came, t.state, t.went) FROM (
    SELECT x.job_id, x.state, sum(x.came) AS came, sum(x.went) AS went FROM (
        SELECT job_id, to_state AS state, 1 AS came, 0 AS went FROM onboarding.transitions WHERE from_state IS DISTINCT FROM to_state
        UNION ALL
        SELECT job_id, from_state, 0, 1 FROM onboarding.transitions WHERE from_state <> to_state) x
    GROUP BY x.job_id, x.state) t
JOIN onboarding.jobs j ON j.id = t.job_id
WHERE t.came - t.went <> CASE WHEN j.state = t.state THEN 1 ELSE 0 END

-- invariant: every attempt has its key, its times and its decision
SELECT a.job_id, 'claim ' || a.claim_token FROM onboarding.attempts a
WHERE a.idempotency_key IS NULL OR a.claimed_at IS NULL OR a.finished_at IS NULL OR a.outcome IS NULL
    OR (NOT a.late AND (a.next_state IS NULL OR a.reason IS NULL))

-- invariant: all bodies sent for a job are the same
SELECT DISTINCT a.job_id, 'claim ' || a.claim_token || ' had another body' FROM onboarding.attempts a
JOIN onboarding.jobs j ON j.id = a.job_id
WHERE a.body_sha256 <> j.body_sha256

-- invariant: all requests of a job carried its stored key
SELECT j.id, 'ledger ' || l.idempotency_key FROM onboarding.jobs j
JOIN chaos.ledger l ON l.body_sha256 = j.body_sha256
WHERE l.idempotency_key IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM onboarding.attempts a WHERE a.job_id = j.id AND a.idempotency_key = l.idempotency_key)

-- invariant: nothing was written under an old token
SELECT a.job_id, 'claim ' || a.claim_token || ' ended after a later claim began' FROM onboarding.attempts a
WHERE NOT a.late AND EXISTS (
    SELECT 1 FROM onboarding.attempts b
    WHERE b.job_id = a.job_id AND NOT b.late AND b.claimed_at > a.claimed_at AND b.claimed_at < a.finished_at)

-- invariant: one end of a job, and it is the last
SELECT a.job_id, a.next_state || ' was followed by another claim' FROM onboarding.attempts a
WHERE NOT a.late AND a.next_state IN ('completed', 'failed', 'cancelled') AND EXISTS (
    SELECT 1 FROM onboarding.attempts b WHERE b.job_id = a.job_id AND NOT b.late AND b.claimed_at > a.finished_at)

-- invariant: jobs of one order key ran one at a time
SELECT x.id, 'claimed while another of its key ran' FROM (
    SELECT j.id, a.claimed_at, max(a.finished_at) OVER (
        PARTITION BY j.provider, j.order_key ORDER BY a.claimed_at ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS busy_until
    FROM onboarding.jobs j
    JOIN onboarding.attempts a ON a.job_id = j.id AND NOT a.late
    WHERE j.order_key IS NOT NULL) x
WHERE x.busy_until > x.claimed_at

-- invariant: nothing runs before the job that it waits for
SELECT j.id, 'claimed before job ' || p.id || ' was completed' FROM onboarding.jobs j
JOIN onboarding.jobs p ON p.id = j.after_job_id
JOIN onboarding.attempts a ON a.job_id = j.id AND NOT a.late
WHERE p.state <> 'completed' OR a.claimed_at < p.finished_at

-- invariant: no personal data outside the payload
SELECT x.job_id, 'in ' || x.place FROM (
    SELECT j.id AS job_id, 'jobs' AS place, (to_jsonb(j) - 'payload')::text AS text FROM onboarding.jobs j
    UNION ALL SELECT a.job_id, 'attempts', to_jsonb(a)::text FROM onboarding.attempts a
    UNION ALL SELECT s.job_id, 'state_changes', to_jsonb(s)::text FROM onboarding.state_changes s
    UNION ALL SELECT NULL, 'provider_events', to_jsonb(e)::text FROM onboarding.provider_events e
    UNION ALL SELECT NULL, 'worker_leases', to_jsonb(w)::text FROM onboarding.worker_leases w
    UNION ALL SELECT NULL, 'providers', to_jsonb(p)::text FROM onboarding.providers p) x
WHERE x.text ILIKE '%' || :mark || '%'
