-- The invariants of the campaign. Each query gives one row a violation: a job's number (or null) and what is wrong.
-- An effect is a job's if the body that arrived is the job's payload (`chaos.bodies`), not what anybody wrote of it.

-- invariant: every committed job is there
SELECT e.job_id, 'the caller committed it and it is gone' FROM chaos.enqueued e
WHERE NOT EXISTS (SELECT 1 FROM onboarding.jobs j WHERE j.id = e.job_id)

-- invariant: every job has ended
SELECT j.id, j.state || ' at ' || j.step || ': ' || coalesce(j.last_error, '') FROM onboarding.jobs j
WHERE j.state NOT IN ('completed', 'failed', 'cancelled', 'uncertain')

-- invariant: at most one effect for each job
SELECT j.id, count(*) || ' effects: ' || string_agg(l.provider_id || ' at ' || l.at, ', ') FROM onboarding.jobs j
JOIN chaos.bodies b ON b.job_id = j.id
JOIN chaos.ledger l ON l.body_sha256 = b.body_sha256
GROUP BY j.id HAVING count(*) > 1

-- invariant: no effect without a job
SELECT NULL::bigint, l.provider || ' ' || l.provider_id FROM chaos.ledger l
WHERE NOT EXISTS (SELECT 1 FROM chaos.bodies b WHERE b.body_sha256 = l.body_sha256)

-- invariant: completed means one effect, and its id is in the row
SELECT j.id, 'row ' || coalesce(j.provider_id, 'none') || ', ledger ' || coalesce(l.provider_id, 'none') FROM onboarding.jobs j
JOIN chaos.bodies b ON b.job_id = j.id
LEFT JOIN chaos.ledger l ON l.body_sha256 = b.body_sha256
WHERE j.state = 'completed' AND (l.provider_id IS DISTINCT FROM j.provider_id)

-- invariant: failed and cancelled mean no effect
SELECT j.id, j.state || ' ' || coalesce(j.last_error, '') || ', but ' || l.provider_id || ' exists' FROM onboarding.jobs j
JOIN chaos.bodies b ON b.job_id = j.id
JOIN chaos.ledger l ON l.body_sha256 = b.body_sha256
WHERE j.state IN ('failed', 'cancelled')

-- invariant: nothing that creates was sent for a claim made after a cancel
SELECT a.job_id, 'claim ' || a.claim_token || ' sent a create' FROM onboarding.attempts a
WHERE a.step = 'create' AND a.sent_at >= a.claimed_at AND (
    SELECT s.to_state = 'cancelled' OR s.from_state = s.to_state FROM onboarding.state_changes s
    WHERE s.job_id = a.job_id AND s.at < a.claimed_at ORDER BY s.at DESC LIMIT 1)
    AND a.job_id NOT IN (SELECT job_id FROM chaos.astray)

-- invariant: uncertain only where the provider gives no way to know, or time ran out before it could be asked
SELECT j.id, j.kind || ': ' || coalesce(j.last_error, '') FROM onboarding.jobs j
WHERE j.state = 'uncertain' AND (SELECT p.can_look_up FROM chaos.protections p WHERE p.job_id = j.id)
    AND NOT (j.expires_at IS NOT NULL AND coalesce(j.last_error, '') ~ 'expire[sd]')
    -- The provider answered with another job's id.
    AND coalesce(j.last_error, '') NOT LIKE '%the id of a record that another job has%'

-- invariant: an uncertain job without key and look-up was sent, and its last send was not answered plainly
SELECT j.id, CASE WHEN s.outcome IS NULL THEN 'nothing was sent' ELSE 'its last send ended ' || s.outcome || ' with HTTP ' || coalesce(s.http_status, 0) END
FROM onboarding.jobs j
LEFT JOIN LATERAL (
    SELECT a.outcome, a.http_status, a.provider_id FROM onboarding.attempts a
    WHERE a.job_id = j.id AND NOT a.late AND a.step = 'create' AND a.sent_at >= a.claimed_at
        AND a.claimed_at > coalesce((
            SELECT max(c.at) FROM onboarding.state_changes c
            WHERE c.job_id = j.id AND c.to_state = 'available' AND c.from_state IN ('failed', 'cancelled', 'uncertain')), '-infinity')
    ORDER BY a.claimed_at DESC LIMIT 1) s ON true
WHERE j.state = 'uncertain' AND (SELECT NOT p.has_key AND NOT p.can_look_up FROM chaos.protections p WHERE p.job_id = j.id)
    AND coalesce(j.last_error, '') NOT LIKE '%the id of a record that another job has%' AND (
    s.outcome IS NULL OR (s.outcome NOT IN ('lost', 'ambiguous', 'unavailable') AND coalesce(s.http_status, 0) <> 503)
    OR (s.http_status BETWEEN 200 AND 299 AND s.provider_id IS NOT NULL)
    OR (s.http_status BETWEEN 400 AND 499 AND s.http_status NOT IN (408, 409, 425)))

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

-- invariant: every attempt has its key, its digest, its times and its decision
SELECT a.job_id, 'claim ' || a.claim_token || CASE WHEN a.late THEN ', late' ELSE '' END || ', lacks ' || x.what
FROM onboarding.attempts a
CROSS JOIN LATERAL (VALUES
    ('a key', a.idempotency_key IS NULL), ('a digest', a.body_sha256 IS NULL), ('an outcome', a.outcome IS NULL),
    ('a reason', coalesce(a.reason, '') = ''), ('a claim before its end', a.claimed_at > a.finished_at),
    ('the time of a send that was answered', a.http_status IS NOT NULL AND a.sent_at IS NULL),
    ('a send between claim and end', a.outcome <> 'lost' AND (a.sent_at < a.claimed_at OR a.sent_at > a.finished_at)),
    ('what it led to', NOT a.late AND a.next_state IS NULL),
    ('what is next', NOT a.late AND a.next_state = 'available' AND (a.next_step IS NULL OR a.next_run_at IS NULL))) AS x (what, is_wrong)
WHERE x.is_wrong AND a.job_id NOT IN (SELECT s.job_id FROM chaos.astray s)

-- invariant: all bodies that arrived for a job are its payload
-- By the key that it carried, or by the id that came back.
SELECT o.job_id, 'effect ' || o.seq || ' was made of another body' FROM (
    SELECT k.job_id, l.seq, l.body_sha256 FROM chaos.keys k JOIN chaos.ledger l ON l.idempotency_key = k.key
    UNION SELECT j.id, l.seq, l.body_sha256 FROM onboarding.jobs j
        JOIN chaos.ledger l ON l.provider = j.provider AND l.provider_id = j.provider_id
    UNION SELECT a.job_id, l.seq, l.body_sha256 FROM onboarding.attempts a
        JOIN onboarding.jobs j ON j.id = a.job_id
        JOIN chaos.ledger l ON l.provider = j.provider AND l.provider_id = a.provider_id
        -- Not believed: the provider lied.
        WHERE coalesce(a.reason, '') NOT LIKE '%the id of a record that another job has%') o
JOIN chaos.bodies b ON b.job_id = o.job_id
WHERE b.body_sha256 <> o.body_sha256

-- invariant: the journal's digests are those of the payload
SELECT DISTINCT a.job_id, 'claim ' || a.claim_token || ' had another body' FROM onboarding.attempts a
JOIN chaos.bodies b ON b.job_id = a.job_id
WHERE a.body_sha256 <> b.body_sha256
    -- Before a retry the payload may have been another.
    AND a.claimed_at > coalesce((
        SELECT max(s.at) FROM onboarding.state_changes s
        WHERE s.job_id = a.job_id AND s.to_state = 'available' AND s.from_state IN ('failed', 'cancelled')), '-infinity')
    AND a.job_id NOT IN (SELECT s.job_id FROM chaos.astray s)

-- invariant: all requests of a job carried a key that stood in its row
SELECT b.job_id, 'ledger ' || l.idempotency_key FROM chaos.ledger l
JOIN chaos.bodies b ON b.body_sha256 = l.body_sha256
WHERE l.idempotency_key IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM chaos.keys k WHERE k.job_id = b.job_id AND k.key = l.idempotency_key)
UNION ALL
SELECT b.job_id, 'effect ' || l.seq || ' came without a key' FROM chaos.ledger l
JOIN chaos.bodies b ON b.body_sha256 = l.body_sha256
WHERE l.idempotency_key IS NULL AND l.provider IN (SELECT k.provider FROM chaos.kinds k WHERE k.has_key)
UNION ALL
SELECT a.job_id, 'journal ' || a.idempotency_key FROM onboarding.attempts a
WHERE NOT EXISTS (SELECT 1 FROM chaos.keys k WHERE k.job_id = a.job_id AND k.key = a.idempotency_key)

-- invariant: nothing was written under an old token
SELECT a.job_id, 'claim ' || a.claim_token || ' ended after a later claim began' FROM onboarding.attempts a
WHERE NOT a.late AND a.job_id NOT IN (SELECT s.job_id FROM chaos.astray s) AND EXISTS (
    SELECT 1 FROM onboarding.attempts b
    WHERE b.job_id = a.job_id AND NOT b.late AND b.claimed_at > a.claimed_at AND b.claimed_at < a.finished_at)

-- invariant: one end of a job, and it is the last unless somebody retried it
SELECT a.job_id, a.next_state || ' was followed by another claim' FROM onboarding.attempts a
WHERE NOT a.late AND a.next_state IN ('completed', 'failed', 'cancelled') AND a.job_id NOT IN (SELECT s.job_id FROM chaos.astray s)
    AND EXISTS (
    SELECT 1 FROM onboarding.attempts b WHERE b.job_id = a.job_id AND NOT b.late AND b.claimed_at > a.finished_at
        AND NOT EXISTS (
            SELECT 1 FROM onboarding.state_changes s
            WHERE s.job_id = a.job_id AND s.from_state = a.next_state AND a.next_state <> 'completed' AND s.to_state = 'available'
                AND s.at BETWEEN a.finished_at AND b.claimed_at))

-- invariant: jobs of one order key ran one at a time
SELECT x.id, 'claimed while another of its key ran' FROM (
    SELECT j.id, a.claimed_at, max(a.finished_at) OVER (
        PARTITION BY j.provider, j.order_key ORDER BY a.claimed_at ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS busy_until
    FROM onboarding.jobs j
    JOIN onboarding.attempts a ON a.job_id = j.id AND NOT a.late
    WHERE j.order_key IS NOT NULL AND a.job_id NOT IN (SELECT s.job_id FROM chaos.astray s)) x
WHERE x.busy_until > x.claimed_at

-- invariant: jobs of one order key ran in the order of their numbers
SELECT a.job_id, 'claimed while job ' || e.job_id || ' of its key came first and had not ended'
FROM chaos.turns e
JOIN chaos.turns j ON j.provider = e.provider AND j.order_key = e.order_key AND j.job_id > e.job_id AND j.is_first
JOIN onboarding.attempts a ON a.job_id = j.job_id AND NOT a.late AND a.claimed_at > e.opened_at AND a.claimed_at < e.until
WHERE e.is_open AND j.job_id NOT IN (SELECT s.job_id FROM chaos.astray s) AND e.job_id NOT IN (SELECT s.job_id FROM chaos.astray s)

-- invariant: nothing runs before the job that it waits for
SELECT j.id, 'claimed before job ' || p.id || ' was completed' FROM onboarding.jobs j
JOIN onboarding.jobs p ON p.id = j.after_job_id
JOIN onboarding.attempts a ON a.job_id = j.id AND NOT a.late
WHERE p.state <> 'completed' OR (a.claimed_at < p.finished_at AND a.job_id NOT IN (SELECT s.job_id FROM chaos.astray s)
    AND p.id NOT IN (SELECT s.job_id FROM chaos.astray s))

-- invariant: no personal data outside the payload
SELECT x.job_id, 'in ' || x.place FROM (
    SELECT j.id AS job_id, 'jobs' AS place, (to_jsonb(j) - 'payload')::text AS text FROM onboarding.jobs j
    UNION ALL SELECT a.job_id, 'attempts', to_jsonb(a)::text FROM onboarding.attempts a
    UNION ALL SELECT s.job_id, 'state_changes', to_jsonb(s)::text FROM onboarding.state_changes s
    UNION ALL SELECT NULL, 'provider_events', to_jsonb(e)::text FROM onboarding.provider_events e
    UNION ALL SELECT NULL, 'worker_leases', to_jsonb(w)::text FROM onboarding.worker_leases w
    UNION ALL SELECT NULL, 'providers', to_jsonb(p)::text FROM onboarding.providers p) x
WHERE x.text ILIKE '%' || :mark || '%'

-- invariant: partitions follow each other at the turns of UTC months, whatever time zone made them
SELECT NULL::bigint, x.name || ' from ' || coalesce(x.start::text, 'the beginning') || ' to ' || x.stop || ', after ' || coalesce(x.before::text, 'none')
FROM (
    SELECT b.name, b.start, b.stop, lag(b.stop) OVER (PARTITION BY b.parent ORDER BY b.stop) AS before
    FROM (
        SELECT i.inhparent AS parent, c.relname AS name,
            substring(pg_get_expr(c.relpartbound, c.oid) FROM 'FROM \(''([^'']+)''\)')::timestamptz AS start,
            substring(pg_get_expr(c.relpartbound, c.oid) FROM 'TO \(''([^'']+)''\)')::timestamptz AS stop
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent IN ('onboarding.attempts'::regclass, 'onboarding.state_changes'::regclass)) b
    WHERE b.stop IS NOT NULL) x
WHERE x.stop <> date_trunc('month', x.stop, 'UTC') OR x.start <> x.before
