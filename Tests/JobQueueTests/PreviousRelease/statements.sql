-- Revision 0, migration 1, digest 7b838a7585151bbd2c1d34f6209e57edfafbc7fbe870b280addd5a5b811540d0.

-- Statement announce
-- Tells callers that wait what became of jobs; a hint, sent after the results were committed.
-- $1 job bigint[], $2 state text[]
-- Returns nothing.
SELECT onboarding.announce($1::bigint[], $2::text[])

-- Statement changed_sources
-- Compares the files of functions, views, triggers and grants with those that the database has.
-- $1 names text[], $2 texts text[].
-- Returns name text, digest text, is_changed boolean, object text; no digest for one that is not among the files.
SELECT coalesce(f.name, s.name) AS name, f.digest, s.digest IS DISTINCT FROM f.digest AS is_changed, s.object
FROM (SELECT u.name, pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(u.text, 'UTF8')), 'hex') AS digest
    FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) AS u (name, text)) AS f
FULL JOIN onboarding.sources s ON s.name = f.name

-- Statement check_functions
-- Checks the bodies of functions, which were made before what they name.
-- $1 names text[].
-- Returns name text. Fails as CREATE FUNCTION does.
SELECT p.proname::text AS name,
    CASE l.lanname WHEN 'plpgsql' THEN pg_catalog.plpgsql_validator(p.oid) WHEN 'sql' THEN pg_catalog.fmgr_sql_validator(p.oid) END
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language l ON l.oid = p.prolang
WHERE p.pronamespace = 'onboarding'::pg_catalog.regnamespace AND p.proname = ANY ($1::text[])

-- Statement claim
-- Claims due jobs of one provider for one worker.
-- $1 worker text, $2 provider text, $3 wanted integer, $4 byte budget bigint, $5 byte budget of one that comes alone bigint,
-- $6 lease in milliseconds integer, $7 priorities text[], $8 run_at text[], $9 id bigint[] (the cursor; empty: from the start)
-- Returns one row a job, or one row with a null id that says why there is none and for how long; the last column is the
-- database's clock in milliseconds since 1970.
-- Index: jobs_claim_idx
SELECT c.id, c.claim_token, c.kind, c.step, c.attempt, c.max_attempts, c.backoff_step, c.idempotency_key, c.payload,
    c.payload_bytes, c.body_sha256, c.parameters, c.after_provider_id, c.traceparent, c.remaining_ms, c.first_sent_ms,
    c.last_sent_ms, c.horizon_ms, c.is_cancelled, c.mute_look_ups, c.mute_ms, c.last_create_status, c.request_sha256,
    c.evidence_id, c.evidence_status, c.claimed_at, c.priority, c.run_at, c.hint,
    c.wait_ms, (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS clock_ms
-- The turn comes first: the claim sees what those before it have committed.
FROM onboarding.claim_turn($2::text, $3::integer) AS turn (wanted)
CROSS JOIN LATERAL onboarding.claim($1::text, $2::text, turn.wanted, $4::bigint, $5::bigint, $6::integer,
    nullif($7::text[], '{}')::smallint[], nullif($8::text[], '{}')::timestamptz[], nullif($9::bigint[], '{}')) AS c

-- Statement complete
-- Writes the ends of attempts, each under its own token.
-- Arrays with one entry an attempt: $1 job bigint, $2 token bigint, $3 worker text, $4 claimed_at text,
-- $5 attempt integer, $6 step done text, $7 outcome text, $8 state text, $9 next step text, $10 delay in ms bigint,
-- $11 counted boolean, $12 may have reached boolean, $13 absence is proved boolean, $14 use of the key text,
-- $15 look-ups in a row that told nothing integer (null: as before), $16 HTTP status integer,
-- $17 request id text, $18 provider id text, $19 provider status text, $20 error text, $21 reason text,
-- $22 age of the send in ms bigint, $23 hold that the provider asked for in ms bigint, $24 key text,
-- $25 SHA-256 of the body bytea, $26 SHA-256 of the request bytea
-- Returns job_id bigint, claim_token bigint, written boolean, job_state text.
-- Index: jobs_pkey
SELECT c.job_id, c.claim_token, c.written, c.job_state
FROM onboarding.complete($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::integer[]::smallint[], $6::text[],
    $7::text[], $8::text[], $9::text[], $10::bigint[], $11::boolean[], $12::boolean[], $13::boolean[], $14::text[],
    $15::integer[], $16::integer[], $17::text[], $18::text[], $19::text[], $20::text[], $21::text[], $22::bigint[],
    $23::bigint[], $24::text[], $25::bytea[], $26::bytea[]) AS c

-- Statement count_backlog
-- Counts the jobs that wait where `queue_health` does not count them itself, at most once a minute.
SELECT onboarding.count_whole_backlog()

-- Statement expire_jobs
-- Fails jobs whose time is over.
-- $1 at most integer
-- Returns expired integer.
-- Index: jobs_expiry_idx
SELECT onboarding.expire_jobs($1::integer) AS expired

-- Statement has_work
-- Tells whether anything is due, running, waiting for another attempt, or blocked on what is.
-- $1 providers text[]
-- Returns has_work boolean. A job that its caller scheduled for later, and that never ran, does not count.
-- Index: jobs_claim_idx, jobs_running_idx, jobs_blocked_idx
SELECT onboarding.has_work($1::text[]) AS has_work

-- Statement job_attempts
-- The journal of one job, oldest first.
-- $1 job bigint
-- Returns text columns.
-- Index: attempts_pkey
SELECT to_char(a.claimed_at, 'HH24:MI:SS.MS') AS claimed, coalesce(to_char(a.sent_at, 'HH24:MI:SS.MS'), '') AS sent,
    to_char(a.finished_at, 'HH24:MI:SS.MS') AS finished, a.attempt::text, a.step,
    a.outcome || CASE WHEN a.late THEN ' (late)' ELSE '' END AS outcome, coalesce(a.http_status::text, '') AS http,
    coalesce(a.next_state, '') AS next, coalesce(a.reason, '') AS reason, coalesce(a.error, '') AS error,
    coalesce(a.request_id, '') AS request_id, a.worker
FROM onboarding.attempts a
WHERE a.job_id = $1::bigint
ORDER BY a.finished_at, a.claim_token

-- Statement job_cancel
-- Cancels a job.
-- $1 job bigint, $2 reason text or NULL
-- Returns the state afterwards.
SELECT onboarding.cancel($1::bigint, $2::text) AS state

-- Statement job_resolve
-- Ends the doubt about an uncertain job.
-- $1 job bigint, $2 verdict text, $3 provider id text or NULL, $4 note text or NULL
-- Returns the state afterwards.
SELECT onboarding.resolve($1::bigint, $2::text, $3::text, $4::text) AS state

-- Statement job_retry
-- Makes a failed or cancelled job available again, and what was cancelled with it if asked for.
-- $1 job bigint, $2 reason text or NULL, $3 corrected payload text or NULL, $4 with dependents boolean
-- Returns dependents text: how many jobs were cancelled with it.
-- Index: jobs_after_idx
WITH dependents AS MATERIALIZED (SELECT count(*) AS many FROM onboarding.cancelled_with($1::bigint))
SELECT d.many::text AS dependents
FROM dependents d
CROSS JOIN LATERAL onboarding.retry($1::bigint, $2::text, $3::text::jsonb, $4::boolean AND d.many >= 0)

-- Statement job_show
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

-- Statement job_transitions
-- Every change of state of one job, oldest first, and the wishes to cancel that had to wait.
-- $1 job bigint
-- Returns text columns.
SELECT to_char(t.at, 'YYYY-MM-DD HH24:MI:SS.MS') AS at, coalesce(t.from_state, '') AS from_state, t.to_state, coalesce(t.actor, '') AS actor,
    coalesce(t.reason, '') AS reason
FROM (
    SELECT x.at, x.from_state, x.to_state, x.actor, x.reason FROM onboarding.transitions x WHERE x.job_id = $1::bigint
    UNION ALL
    SELECT s.at, s.from_state, s.to_state, s.actor, s.reason FROM onboarding.state_changes s
    WHERE s.job_id = $1::bigint AND s.from_state = s.to_state) t
ORDER BY t.at, t.from_state IS NOT NULL, t.from_state = 'running'

-- Statement job_why
-- Why a job is not running now.
-- $1 job bigint
-- Returns text columns; no row when nothing but a free slot is missing.
SELECT w.reason, coalesce(w.detail, '') AS detail, coalesce(w.until::text, '') AS until
FROM onboarding.why($1::bigint) AS w

-- Statement jobs_list
-- Lists jobs, newest first.
-- $1 state text or NULL, $2 kind text or NULL, $3 reference text or NULL, $4 at most integer
-- Returns text columns.
SELECT j.id::text, j.kind, j.state, j.attempt::text, coalesce(j.reference, '') AS reference,
    to_char(j.run_at, 'YYYY-MM-DD HH24:MI:SS') AS run_at, coalesce(j.provider_id, '') AS provider_id, coalesce(j.last_error, '') AS last_error
FROM onboarding.jobs j
WHERE ($1::text IS NULL OR j.state = $1::text) AND ($2::text IS NULL OR j.kind = $2::text)
  AND ($3::text IS NULL OR j.reference = $3::text)
ORDER BY j.id DESC
LIMIT $4::integer

-- Statement jobs_resolve
-- Ends the doubt about many uncertain jobs; each verdict stands alone.
-- $1 verdicts text (a JSON array of objects with job_id, verdict and provider_id), $2 note text or NULL
-- Returns job_id text, state text, problem text.
SELECT r.job_id::text AS job_id, coalesce(r.state, '') AS state, coalesce(r.problem, '') AS problem
FROM onboarding.resolve_jobs($1::text::jsonb, $2::text) AS r

-- Statement maintain
-- Looks after history and retention, unless another worker is at it or was a moment ago: then the columns are null.
-- $1 jobs to delete at most integer
-- Returns partitions_made integer, partitions_dropped integer, jobs_deleted integer.
SELECT m.partitions_made, m.partitions_dropped, m.jobs_deleted FROM onboarding.maintain($1::integer) AS m

-- Statement mark_sent
-- Writes that requests may have been sent, before they are.
-- $1 worker text, $2 job bigint[], $3 token bigint[], $4 SHA-256 of the request bytea[]
-- Returns token bigint: the claims that still hold; no other may be sent.
-- Index: jobs_pkey
SELECT m.token
FROM onboarding.mark_sent($1::text, $2::bigint[], $3::bigint[], $4::bytea[]) AS m (token)

-- Statement migration_lock
-- Takes the lock of migrations for the session, unless another has it.
-- $1 key bigint.
-- Returns is_taken boolean, holder text: who else has it, null for nobody.
SELECT pg_catalog.pg_try_advisory_lock($1::bigint) AS is_taken,
    (SELECT pg_catalog.format('the session %s of the login %s (%s)', a.pid, a.usename, coalesce(nullif(a.application_name, ''), 'unnamed'))
        FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
        WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.pid <> pg_catalog.pg_backend_pid()
          AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
          AND l.classid::bigint << 32 | l.objid::bigint = $1::bigint
        LIMIT 1) AS holder

-- Statement needs_person
-- What a person should look at: how many, and where. Nothing where all is well.
-- No parameters.
-- Returns what text, how many text, statement text.
SELECT n.what, n.many::text AS many, n.statement AS look_at
FROM (
    SELECT 'no worker is alive' AS what, 1 AS many, 'onboard work' AS statement
    WHERE NOT EXISTS (SELECT 1 FROM onboarding.workers)
    UNION ALL
    SELECT 'due jobs of ' || h.provider || ', which no live worker serves', h.due, 'SELECT * FROM onboarding.workers;'
    FROM onboarding.queue_health h
    WHERE h.due > 0 AND NOT EXISTS (SELECT 1 FROM onboarding.workers w WHERE h.provider = ANY (w.providers))
      AND EXISTS (SELECT 1 FROM onboarding.workers)
    UNION ALL
    SELECT 'uncertain jobs' AS what, count(*) AS many, 'SELECT * FROM onboarding.uncertain_jobs;' AS statement
    FROM onboarding.uncertain_jobs
    UNION ALL
    SELECT 'records that a provider has twice or two jobs share', count(*), 'SELECT * FROM onboarding.doubles;'
    FROM onboarding.doubles
    UNION ALL
    SELECT 'steps of maintenance that fail', count(*), 'SELECT * FROM onboarding.upkeep_failures;'
    FROM onboarding.upkeep_failures) n
WHERE n.many > 0

-- Statement newer_schema
-- Tells whether the schema is of a later program than one that knows these.
-- $1 migration integer, $2 revision integer.
-- Returns is_newer boolean, is_breaking boolean: whether a migration that the program does not know is breaking.
SELECT max(m.version) > $1::integer OR (SELECT max(s.revision) FROM onboarding.sources s) > $2::integer AS is_newer,
    coalesce(bool_or(m.is_breaking) FILTER (WHERE m.version > $1::integer), false) AS is_breaking
FROM onboarding.migrations m

-- Statement note_clock_jump
-- Notes that the database's clock jumped.
-- $1 by how many milliseconds bigint, negative: back
-- Returns moved integer: how many waiting jobs became due earlier; 5000: call it again.
SELECT onboarding.note_clock_jump($1::bigint) AS moved

-- Statement old_claims
-- The tokens that a worker claimed more than ten seconds ago and that are running still.
-- $1 worker text
-- Returns token bigint.
-- Index: jobs_running_idx
SELECT c.token FROM onboarding.old_claims($1::text) AS c (token)

-- Statement provider_limit
-- Changes a provider's limits that are given.
-- $1 provider text, $2 calls in flight integer, $3 calls a second double precision, $4 burst integer, $5 limits to take away text[]
-- Returns nothing of interest.
SELECT onboarding.limit_provider($1::text, $2::integer, $3::double precision, $4::integer, $5::text[])::text AS done

-- Statement provider_pause
-- Stops claiming a provider's jobs.
-- $1 provider text, $2 reason text or NULL, $3 how long in ms bigint or NULL
-- Returns nothing of interest.
SELECT onboarding.pause_provider($1::text, $2::text,
    CASE WHEN $3::bigint IS NULL THEN 'infinity' ELSE now() + $3::bigint * interval '1 ms' END)::text AS done

-- Statement provider_resume
-- Lets a provider's jobs be claimed again.
-- $1 provider text
-- Returns nothing of interest.
SELECT onboarding.resume_provider($1::text)::text AS done

-- Statement providers_list
-- Limits and state of the providers.
-- No parameters.
-- Returns text columns.
SELECT p.provider, coalesce(p.max_in_flight::text, '-') AS max_in_flight, coalesce(p.rate_per_second::text, '-') AS rate_per_second,
    coalesce(p.burst::text, '-') AS burst, CASE WHEN p.paused_until > now() THEN p.paused_until::text ELSE '' END AS paused_until,
    coalesce(p.pause_reason, '') AS pause_reason, CASE WHEN onboarding.hold_end(p, clock_timestamp()) > now() THEN p.held_until::text ELSE '' END AS held_until,
    coalesce(round(onboarding.learnt_rate(p, clock_timestamp())::numeric, 2)::text, '-') AS adaptive_rate, p.circuit, coalesce(p.circuit_reason, '') AS circuit_reason
FROM onboarding.providers p
ORDER BY p.provider

-- Statement record_migration
-- Records a migration that has run.
-- $1 version integer, $2 name text, $3 is_breaking boolean.
INSERT INTO onboarding.migrations (version, name, is_breaking) VALUES ($1::integer, $2::text, $3::boolean)

-- Statement record_sources
-- Records the files that the database has now, instead of those before.
-- $1 names text[], $2 digests text[], $3 objects text[], $4 revision integer.
WITH gone AS (
    DELETE FROM onboarding.sources s WHERE s.name <> ALL ($1::text[])
), kept AS (
    UPDATE onboarding.sources s SET digest = f.digest, object = f.object, revision = $4::integer
    FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[]), pg_catalog.unnest($3::text[])) AS f (name, digest, object)
    WHERE s.name = f.name
    RETURNING s.name
)
INSERT INTO onboarding.sources (name, digest, object, revision)
SELECT f.name, f.digest, f.object, $4::integer
FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[]), pg_catalog.unnest($3::text[])) AS f (name, digest, object)
WHERE f.name NOT IN (SELECT k.name FROM kept k)

-- Statement register_worker
-- Signs a worker on.
-- $1 worker text, $2 host text, $3 version text, $4 slots integer, $5 providers text[], $6 lease in milliseconds integer,
-- $7 longest call in milliseconds integer
-- Returns is_new boolean, null when the name is taken, and unwatched_ms bigint.
SELECT r.is_new, r.unwatched_ms
FROM onboarding.register_worker($1::text, $2::text, $3::text, $4::integer, $5::text[], $6::integer, $7::integer) AS r

-- Statement remove_worker
-- Signs a worker off.
-- $1 worker text
-- Returns nothing of interest.
SELECT onboarding.remove_worker($1::text)::text AS removed

-- Statement renew_lease
-- Renews a worker's lease.
-- $1 worker text, $2 lease in milliseconds integer, $3 calls in flight integer, $4 draining boolean
-- Returns renewed boolean; false: the lease has ended and the worker must drop what it holds. And the database's clock in
-- milliseconds since 1970, bigint.
SELECT onboarding.renew_lease($1::text, $2::integer, $3::integer, $4::boolean) AS renewed,
    (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS clock_ms

-- Statement repair_blocked
-- Lets go or cancels jobs that wait for one that has ended, a few at a time.
-- $1 jobs at most integer, $2 id after which to go on bigint (null: from the start)
-- Returns last_id bigint: the last one looked at, null at the end.
-- Index: jobs_blocked_id_idx
SELECT onboarding.repair_blocked($1::integer, $2::bigint) AS last_id

-- Statement repair_ends
-- Sees to ends that could not be settled because somebody had locked what depends on them.
-- $1 ends at most integer
-- Returns repaired integer: how many were tried.
-- Index: unsettled_ends_at_idx
SELECT onboarding.repair_ends($1::integer) AS repaired

-- Statement repair_order_keys
-- Lets go what stands behind a job that has gone, a few order keys at a time.
-- $1 at most integer, $2 provider of the last key looked at text[], $3 that key text[]; of one entry, NULL from the start
-- Returns from_provider text, from_key text: the last one looked at; NULL when all were.
-- Index: jobs_behind_idx
SELECT r.from_provider, r.from_key FROM onboarding.repair_order_keys($1::integer, ($2::text[])[1], ($3::text[])[1]) AS r

-- Statement repair_restored
-- Repairs what a restore of single tables, or of data alone, leaves behind.
-- No parameters.
-- Returns repair text: a sentence for each repair.
SELECT r.repair FROM onboarding.repair_restored() AS r (repair)

-- Statement schema_objects
-- Tells what a database has of the schema: tables, views, sequences and indexes, functions, constraints, triggers that are
-- switched on, and the roles that may use it.
-- No parameters.
-- Returns name text. No row where there is no schema.
WITH schema AS (SELECT n.oid, n.nspacl FROM pg_catalog.pg_namespace n WHERE n.nspname = 'onboarding')
SELECT c.relname::text AS name FROM schema s JOIN pg_catalog.pg_class c ON c.relnamespace = s.oid
UNION
SELECT p.proname::text FROM schema s JOIN pg_catalog.pg_proc p ON p.pronamespace = s.oid
UNION
SELECT c.conname::text FROM schema s JOIN pg_catalog.pg_constraint c ON c.connamespace = s.oid
UNION
SELECT t.tgname::text
FROM schema s JOIN pg_catalog.pg_class c ON c.relnamespace = s.oid JOIN pg_catalog.pg_trigger t ON t.tgrelid = c.oid
WHERE NOT t.tgisinternal AND t.tgenabled <> 'D'
UNION
SELECT r.rolname::text
FROM schema s CROSS JOIN LATERAL pg_catalog.aclexplode(s.nspacl) a JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
WHERE a.privilege_type = 'USAGE'

-- Statement schema_revision
-- Tells which program's functions, views and triggers a database has.
-- No parameters.
-- Returns revision integer; 0 for none.
SELECT coalesce(max(s.revision), 0) AS revision FROM onboarding.sources s

-- Statement schema_version
-- Tells which migrations a database has.
-- $1 known integer, the newest migration of the program.
-- Returns version integer: the newest migration; is_breaking boolean: whether one after the known ones is breaking. Fails with
-- 42P01 or 3F000 where there is no schema yet.
SELECT coalesce(max(m.version), 0) AS version,
    coalesce(bool_or(m.is_breaking) FILTER (WHERE m.version > $1::integer), false) AS is_breaking
FROM onboarding.migrations m

-- Statement source_objects
-- Tells what the functions, views and triggers of the schema are called by DROP.
-- No parameters.
-- Returns name text, object text; one row for each overload of a function.
SELECT p.proname::text AS name, 'FUNCTION ' || p.oid::pg_catalog.regprocedure AS object
FROM pg_catalog.pg_proc p WHERE p.pronamespace = 'onboarding'::pg_catalog.regnamespace
UNION ALL
SELECT c.relname::text, 'VIEW ' || c.oid::pg_catalog.regclass
FROM pg_catalog.pg_class c WHERE c.relnamespace = 'onboarding'::pg_catalog.regnamespace AND c.relkind = 'v'
UNION ALL
SELECT t.tgname::text, pg_catalog.format('TRIGGER %I ON %s', t.tgname, t.tgrelid::pg_catalog.regclass)
FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
WHERE c.relnamespace = 'onboarding'::pg_catalog.regnamespace AND NOT t.tgisinternal AND t.tgparentid = 0

-- Statement status
-- The state of the queue, a row a provider.
-- No parameters.
-- Returns the columns of the view queue_health as text.
SELECT h.provider, h.due::text, h.scheduled::text, h.running::text, h.waiting::text, h.uncertain::text, h.blocked::text,
    h.completed_last_hour::text AS completed_1h, h.failed_last_hour::text AS failed_1h,
    coalesce(round(h.oldest_due_age_seconds)::text, '') AS oldest_due_s, CASE WHEN h.paused THEN 'yes' ELSE 'no' END AS paused, h.circuit
FROM onboarding.queue_health h
ORDER BY h.provider

-- Statement take_over
-- Takes over jobs of workers that are gone; thoroughly, also the reaper's own old claims that it does not hold.
-- $1 reaper text, $2 suspects bigint[], $3 jobs at most integer, $4 thoroughly boolean
-- Returns taken integer: how many.
-- Index: jobs_running_idx
SELECT onboarding.take_over($1::text, $2::bigint[], $3::integer, $4::boolean) AS taken

-- Statement unlocked_jobs
-- Which of these jobs nobody has locked at this moment.
-- $1 jobs bigint[]
-- Returns id bigint.
-- Index: jobs_pkey
SELECT u.id FROM onboarding.unlocked_jobs($1::bigint[]) AS u (id)

-- Statement upkeep_failures
-- The steps of maintenance that fail.
-- No parameters.
-- Returns step text, since text (RFC 3339, UTC), code text. Not the error's text, which a trigger of others may have written.
SELECT f.step, to_char(f.since AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS since, f.code
FROM onboarding.upkeep_failures f
ORDER BY f.since, f.step
