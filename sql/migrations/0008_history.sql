-- History in time partitions, retention, and the service that looks after both.
INSERT INTO onboarding.migrations (version, name) VALUES (8, 'history');

-- How long finished jobs of a kind are kept, and how long everybody's history is: null is for ever.
ALTER TABLE onboarding.kinds ADD COLUMN keep_finished interval,
    ADD CONSTRAINT kinds_keep_finished_a_day CHECK (keep_finished >= interval '1 day');

CREATE TABLE onboarding.maintenance (
    -- One row.
    is_only_row    boolean     PRIMARY KEY DEFAULT true CHECK (is_only_row),
    keep_history   interval    CHECK (keep_history >= interval '31 days'),
    last_run_at    timestamptz NOT NULL DEFAULT '-infinity'
);
INSERT INTO onboarding.maintenance DEFAULT VALUES;

-- Successes that came too late, apart from the journal: the claim looks here, at a few rows, whatever the journal holds.
CREATE TABLE onboarding.late_successes (
    job_id          bigint      NOT NULL,
    claim_token     bigint      NOT NULL,
    provider_id     text        NOT NULL,
    provider_status text,
    worker          text        NOT NULL,
    at              timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT late_successes_pkey PRIMARY KEY (job_id, claim_token)
);
INSERT INTO onboarding.late_successes
SELECT a.job_id, a.claim_token, a.provider_id, a.provider_status, a.worker, a.finished_at
FROM onboarding.attempts a WHERE a.late AND a.provider_id IS NOT NULL;

-- The journal so far becomes the first partition. A row's partition follows from its claim, so that a second writing
-- of the same end finds the first.
DROP VIEW onboarding.transitions;
ALTER TABLE onboarding.attempts RENAME TO attempts_first;
ALTER TABLE onboarding.attempts_first DROP CONSTRAINT attempts_pkey,
    ADD CONSTRAINT attempts_first_pkey PRIMARY KEY (job_id, claim_token, late, claimed_at);
CREATE TABLE onboarding.attempts (
    LIKE onboarding.attempts_first INCLUDING DEFAULTS,
    CONSTRAINT attempts_pkey PRIMARY KEY (job_id, claim_token, late, claimed_at)
) PARTITION BY RANGE (claimed_at);

ALTER TABLE onboarding.state_changes ALTER COLUMN id DROP IDENTITY;
CREATE SEQUENCE onboarding.state_change_ids AS bigint;
SELECT setval('onboarding.state_change_ids', coalesce((SELECT max(s.id) FROM onboarding.state_changes s), 0) + 1, false);
ALTER TABLE onboarding.state_changes ALTER COLUMN id SET DEFAULT nextval('onboarding.state_change_ids');
ALTER TABLE onboarding.state_changes RENAME TO state_changes_first;
ALTER TABLE onboarding.state_changes_first DROP CONSTRAINT state_changes_pkey,
    ADD CONSTRAINT state_changes_first_pkey PRIMARY KEY (id, at);
ALTER INDEX onboarding.state_changes_job_idx RENAME TO state_changes_first_job_idx;
CREATE TABLE onboarding.state_changes (
    LIKE onboarding.state_changes_first INCLUDING DEFAULTS,
    CONSTRAINT state_changes_pkey PRIMARY KEY (id, at)
) PARTITION BY RANGE (at);
CREATE INDEX state_changes_job_idx ON onboarding.state_changes (job_id, at);

DO $$
DECLARE
    -- As text in UTC: the session's time zone and date style change neither the calendar nor how it is read.
    next_month text := to_char(date_trunc('month', now() AT TIME ZONE 'UTC') + interval '1 month', 'YYYY-MM-DD 00:00:00+00');
BEGIN
    EXECUTE format('ALTER TABLE onboarding.attempts ATTACH PARTITION onboarding.attempts_first FOR VALUES FROM (MINVALUE) TO (%L)', next_month);
    EXECUTE format('ALTER TABLE onboarding.state_changes ATTACH PARTITION onboarding.state_changes_first FOR VALUES FROM (MINVALUE) TO (%L)', next_month);
END;
$$;
-- For a fleet whose maintenance has not run for months: nothing is refused.
CREATE TABLE onboarding.attempts_rest PARTITION OF onboarding.attempts DEFAULT;
CREATE TABLE onboarding.state_changes_rest PARTITION OF onboarding.state_changes DEFAULT;

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

GRANT SELECT ON onboarding.attempts, onboarding.state_changes, onboarding.transitions, onboarding.maintenance
    TO onboarding_operator, onboarding_monitor, onboarding_worker;

-- Claims up to `wanted` due jobs of one provider for one live worker.
--
-- The cursor arrays say where to go on, one entry a priority: jobs at or before (run_at, id) were
-- claimed already, and dead index entries in front of them are not walked again however long some
-- transaction keeps them from being vacuumed. Null arrays start from the beginning of every priority.
-- `byte_budget` bounds the sum of the payloads; one that is larger may come alone, up to `single_budget`.
-- One row a job; when there is none, one row with a null id that says why and when to come back.
DROP FUNCTION onboarding.claim;
CREATE FUNCTION onboarding.claim(
    worker_id text, provider_name text, wanted integer, byte_budget bigint, single_budget bigint, lease_ms integer,
    from_priority smallint[] DEFAULT NULL, from_run_at timestamptz[] DEFAULT NULL, from_id bigint[] DEFAULT NULL)
RETURNS TABLE (
    id bigint, claim_token bigint, kind text, step text, attempt smallint, max_attempts smallint,
    backoff_step smallint, idempotency_key text, payload text, payload_bytes integer, body_sha256 bytea,
    parameters text, after_provider_id text, traceparent text, remaining_ms bigint, first_sent_ms bigint,
    last_sent_ms bigint, horizon_ms bigint, is_cancelled boolean, mute_look_ups smallint, mute_ms bigint,
    last_create_status integer, request_sha256 bytea, evidence_id text, evidence_status text,
    claimed_at text, priority smallint, run_at text, hint text, wait_ms integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- The plans are pinned: whatever the statistics say, the claim walks its index in order.
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan SET jit = off
-- Somebody's open transaction on one provider must not hold up the claims of the others.
SET lock_timeout = '250ms' AS $$
#variable_conflict use_column
DECLARE
    permit record;
    taken integer;
    horizon bigint;
    probe bigint;
    watched_since timestamptz;
    set_back_at timestamptz;
    -- Not now(): the claim may have waited for its permits.
    t timestamptz;
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM onboarding.worker_leases w WHERE w.id = worker_id AND w.lease_expires_at > clock_timestamp())
    THEN
        claim.hint := 'fenced'; claim.wait_ms := 0; RETURN NEXT; RETURN;
    END IF;
    SELECT * INTO permit FROM onboarding.permits(provider_name, wanted);
    IF permit.allowed > 0 THEN
        horizon := onboarding.milliseconds(onboarding.effect_horizon(provider_name));
        SELECT m.clock_watched_since, m.clock_set_back_at INTO watched_since, set_back_at FROM onboarding.maintenance m;
        t := clock_timestamp();
        IF permit.probing THEN probe := onboarding.probe_job(provider_name, t); END IF;
        RETURN QUERY
        WITH claimed AS (
            UPDATE onboarding.jobs j
            SET state = 'running', claim_token = 1 + (random() * 9007199254740990)::bigint, claimed_by = worker_id,
                claimed_at = clock_timestamp(), marked_at = NULL, late_doubt = false, updated_at = t, lease_expires_at = t + lease_ms * interval '1 ms',
                attempt = j.attempt + CASE WHEN j.step = 'create' THEN 1 ELSE 0 END,
                body_sha256 = coalesce(j.body_sha256, sha256(convert_to(j.payload::text, 'UTF8')))
            WHERE j.id = ANY (ARRAY(
                SELECT due.id FROM (
                    SELECT d.id, row_number() OVER () AS place, sum(d.payload_bytes) OVER (ROWS UNBOUNDED PRECEDING) AS bytes
                    FROM unnest(coalesce(from_priority, '{0,1,2,3,4,5,6,7,8,9}'::smallint[]),
                            from_run_at, from_id) AS c (priority, run_at, id)
                    CROSS JOIN LATERAL (
                        SELECT q.id, q.payload_bytes FROM onboarding.jobs q
                        WHERE q.state = 'available' AND NOT q.is_behind AND q.provider = provider_name AND q.priority = c.priority
                          AND q.run_at <= t
                          AND (probe IS NULL OR q.id = probe)
                          AND (q.run_at, q.id) > (coalesce(c.run_at, '-infinity'::timestamptz), coalesce(c.id, 0))
                          AND (q.expires_at IS NULL OR q.expires_at > t OR q.last_sent_at IS NOT NULL)
                          AND (q.denied_at IS NULL
                              OR onboarding.sent_age_ms(q.denied_at, t, watched_since, set_back_at) >= horizon)
                          AND (q.order_key IS NULL OR (
                              q.id = (SELECT o.id FROM onboarding.jobs o
                                  WHERE o.provider = provider_name AND o.order_key = q.order_key
                                    AND o.state IN ('blocked', 'available', 'running', 'waiting', 'uncertain')
                                  ORDER BY o.id LIMIT 1)
                              AND (SELECT o.id FROM onboarding.jobs o
                                  WHERE o.provider = provider_name AND o.order_key = q.order_key
                                    AND o.state = 'running' LIMIT 1) IS NULL))
                        ORDER BY q.run_at, q.id
                        LIMIT permit.allowed
                        FOR NO KEY UPDATE SKIP LOCKED) d
                    LIMIT permit.allowed) due
                WHERE due.bytes <= byte_budget OR (due.place = 1 AND due.bytes <= single_budget)))
            RETURNING j.*
        )
        SELECT c.id, c.claim_token, c.kind, c.step, c.attempt, c.max_attempts, c.backoff_step,
            c.idempotency_key::text, c.payload::text, c.payload_bytes, c.body_sha256, c.parameters::text,
            CASE WHEN c.after_job_id IS NOT NULL
                THEN (SELECT a.provider_id FROM onboarding.jobs a JOIN onboarding.kinds k ON k.parent_kind = a.kind
                    WHERE a.id = c.after_job_id AND k.kind = c.kind) END,
            c.traceparent, onboarding.milliseconds(c.expires_at - t),
            onboarding.key_age_ms(c.first_sent_at, t, set_back_at),
            onboarding.sent_age_ms(c.last_sent_at, t, watched_since, set_back_at),
            horizon, c.cancel_requested_at IS NOT NULL, c.mute_look_ups, onboarding.milliseconds(t - c.mute_since),
            c.last_create_status, c.request_sha256, e.provider_id, e.provider_status, c.claimed_at::text, c.priority,
            -- In one form whatever the session's time zone, so that its order is the order of the texts.
            (c.run_at AT TIME ZONE 'UTC')::text || '+00',
            NULL::text, NULL::integer
        FROM claimed c
        LEFT JOIN LATERAL (
            SELECT l.provider_id, l.provider_status FROM onboarding.evidence l
            WHERE c.last_outcome IS NOT NULL AND l.job_id = c.id
            ORDER BY l.at DESC LIMIT 1) e ON true;
        GET DIAGNOSTICS taken = ROW_COUNT;
        IF taken > 0 THEN
            IF permit.counted THEN PERFORM onboarding.use_permits(provider_name, taken, permit.probing); END IF;
            RETURN;
        END IF;
        permit.hint := 'empty'; permit.wait_ms := NULL;
    END IF;
    claim.hint := permit.hint; claim.wait_ms := permit.wait_ms;
    RETURN NEXT;
END;
$$;
REVOKE ALL ON FUNCTION onboarding.claim FROM PUBLIC;
GRANT EXECUTE ON FUNCTION onboarding.claim TO onboarding_worker;

-- Writes the ends of attempts. Each row carries its own token: a row whose token is not the job's
-- present one changes nothing there and is kept in the journal as late evidence. Writing the same end
-- twice (after a lost answer to COMMIT) is harmless and reported as written.
--
-- Times come as ages in milliseconds, so that only the database's clock counts. Returns a row an
-- attempt: whether it was written, and the state the job is in.
CREATE OR REPLACE FUNCTION onboarding.complete(
    worker_id text, job_ids bigint[], tokens bigint[], claimed_ats text[], attempt_numbers smallint[],
    did_steps text[], outcomes text[], states text[], next_steps text[], delays_ms bigint[], counted boolean[],
    reached boolean[], key_uses text[], http_statuses integer[], request_ids text[], provider_ids text[],
    provider_statuses text[], errors text[], reasons text[], sent_ages_ms bigint[], holds_ms bigint[],
    keys text[], digests bytea[])
RETURNS TABLE (job_id bigint, claim_token bigint, written boolean, job_state text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- Pinned: rows are found by key. Hash joins stay on for the batch's own rows.
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan SET jit = off
-- A row that somebody holds is left for later (`unlocked_jobs`): it must not keep the others from being written.
SET lock_timeout = '500ms' AS $$
#variable_conflict use_column
DECLARE
    ids bigint[];
    fences bigint[];
    became text[];
    late boolean;
    ordered boolean;
    ended bigint[];
BEGIN
    WITH result AS (
        SELECT * FROM unnest(job_ids, tokens, claimed_ats, attempt_numbers, did_steps, outcomes, states, next_steps,
            delays_ms, counted, reached, key_uses, http_statuses, request_ids, provider_ids, provider_statuses,
            errors, reasons, sent_ages_ms, keys, digests)
        AS r (job_id, token, claimed_at, attempt, did_step, outcome, state, next_step, delay_ms, counted, reached,
            key_use, http_status, request_id, provider_id, provider_status, error, reason, sent_age_ms, key, digest)
    ), written AS (
        UPDATE onboarding.jobs j
        SET state = CASE WHEN j.cancel_requested_at IS NULL THEN r.state
                ELSE (onboarding.after_cancel(j, r.state, r.next_step, r.outcome, r.reached)).state END,
            step = CASE WHEN j.cancel_requested_at IS NULL THEN r.next_step
                ELSE (onboarding.after_cancel(j, r.state, r.next_step, r.outcome, r.reached)).step END,
            attempt = j.attempt - CASE WHEN j.step = 'create' AND NOT r.counted THEN 1 ELSE 0 END,
            backoff_step = CASE WHEN r.state = 'available' THEN least(j.backoff_step + 1, 1000) ELSE j.backoff_step END,
            run_at = CASE WHEN r.state = 'available' THEN now() + r.delay_ms * interval '1 ms' ELSE j.run_at END,
            -- A call that cannot have arrived takes back what its claim assumed.
            first_sent_at = CASE WHEN r.key_use <> 'same' THEN NULL
                WHEN NOT r.reached AND j.step = 'create' AND j.first_sent_at >= j.claimed_at THEN NULL
                ELSE j.first_sent_at END,
            provider_id = coalesce(r.provider_id, j.provider_id),
            provider_status = coalesce(r.provider_status, j.provider_status),
            last_outcome = r.outcome, last_http_status = r.http_status,
            -- What was not answered may be on its way until now.
            last_sent_at = CASE WHEN r.reached AND j.step = 'create' THEN now() ELSE j.last_sent_at END,
            last_create_status = CASE WHEN r.key_use <> 'same' THEN NULL WHEN j.step = 'create' THEN r.http_status
                ELSE j.last_create_status END,
            last_error = CASE WHEN r.state = 'completed' THEN NULL
                WHEN j.cancel_requested_at IS NOT NULL
                    AND (onboarding.after_cancel(j, r.state, r.next_step, r.outcome, r.reached)).state = 'cancelled'
                    THEN 'cancelled as asked; the last attempt ended ' || r.outcome
                ELSE coalesce(r.error || ': ', '') || r.reason END,
            lease_expires_at = NULL, updated_at = now(),
            finished_at = CASE WHEN CASE WHEN j.cancel_requested_at IS NULL THEN r.state
                ELSE (onboarding.after_cancel(j, r.state, r.next_step, r.outcome, r.reached)).state END
                IN ('completed', 'failed', 'cancelled') THEN now() END
        FROM result r
        WHERE j.id = r.job_id AND j.claim_token = r.token AND j.state = 'running'
        RETURNING j.id, j.claim_token AS token, j.state, j.run_at, j.step, j.order_key, r.claimed_at, r.sent_age_ms,
            r.key, r.http_status, r.attempt, r.did_step, r.outcome, r.provider_id, r.provider_status, r.request_id,
            r.error, r.digest, CASE WHEN j.state = 'cancelled' THEN j.last_error ELSE r.reason END AS reason
    ), journal AS (
        INSERT INTO onboarding.attempts (job_id, claim_token, claimed_at, sent_at, next_run_at, idempotency_key,
            http_status, attempt, step, worker, outcome, next_state, next_step, provider_id, provider_status,
            request_id, error, reason, body_sha256)
        SELECT w.id, w.token, w.claimed_at::timestamptz, now() - w.sent_age_ms * interval '1 ms',
            CASE WHEN w.state = 'available' THEN w.run_at END, w.key::uuid, w.http_status, w.attempt, w.did_step,
            worker_id, w.outcome, w.state, CASE WHEN w.state = 'available' THEN w.step END, w.provider_id,
            w.provider_status, w.request_id, w.error, w.reason, w.digest
        FROM written w
    )
    SELECT array_agg(w.id), array_agg(w.token), array_agg(w.state), bool_or(w.order_key IS NOT NULL)
    INTO ids, fences, became, ordered
    FROM written w;
    PERFORM pg_notify('onboarding_events', format('{"job_id": %s, "state": "%s"}', w.id, w.state))
    FROM unnest(ids, became) AS w (id, state) WHERE w.state <> 'available';
    late := cardinality(job_ids) > coalesce(cardinality(ids), 0);
    RETURN QUERY SELECT w.id, w.token, true, w.state FROM unnest(ids, fences, became) AS w (id, token, state);
    IF late THEN
        RETURN QUERY SELECT * FROM onboarding.keep_late(worker_id, job_ids, tokens, claimed_ats, attempt_numbers,
            did_steps, outcomes, http_statuses, request_ids, provider_ids, provider_statuses, errors,
            sent_ages_ms, keys, digests, coalesce(ids, '{}'), coalesce(fences, '{}'));
    END IF;

    IF 'new' = ANY (key_uses) THEN PERFORM onboarding.rotate_keys(job_ids, tokens, key_uses); END IF;
    IF late OR 'uncertain' = ANY (became) THEN PERFORM onboarding.settle_late_successes(job_ids); END IF;
    SELECT array_agg(s.id) INTO ended FROM (
        SELECT d.after_job_id AS id FROM unnest(job_ids) AS b (id)
        JOIN onboarding.jobs d ON d.after_job_id = b.id AND d.state = 'blocked'
        UNION
        SELECT j.id FROM onboarding.jobs j
        WHERE ordered AND j.id = ANY (job_ids) AND j.order_key IS NOT NULL AND j.state IN ('completed', 'failed', 'cancelled')) s;
    IF ended IS NOT NULL THEN PERFORM onboarding.settle_dependents(ended); END IF;
    PERFORM onboarding.note_provider_health(job_ids, tokens, outcomes, http_statuses, holds_ms);
END;
$$;

-- Makes the partition of the month that `month` lies in. A table that is attached costs the others no lock that they
-- would wait for. What was written before it was made lies in the partition for the rest and moves here; where that is
-- more than 100,000 rows it stays there, and so does the rest of that month. Called by `maintain`.
CREATE FUNCTION onboarding.add_partition(parent text, month timestamptz) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
-- Months are those of UTC: in another zone months that meet here would overlap, or leave hours between them.
SET timezone = 'UTC' SET datestyle = 'ISO' AS $$
DECLARE
    start timestamptz := date_trunc('month', month);
    name text := format('%s_%s', parent, to_char(start, 'YYYYMM'));
    rest regclass := to_regclass(format('onboarding.%I', parent || '_rest'));
    bounds text := format('%1$I >= %2$L AND %1$I < %3$L',
        CASE parent WHEN 'attempts' THEN 'claimed_at' ELSE 'at' END, start, start + interval '1 month');
    is_covered boolean;
    early bigint := 0;
BEGIN
    -- The first partition has no start; what lies before its end is its.
    SELECT coalesce(bool_or(onboarding.partition_end(i.inhrelid) > start), false) INTO is_covered
    FROM pg_catalog.pg_inherits i WHERE i.inhparent = format('onboarding.%I', parent)::regclass AND i.inhrelid = to_regclass(format('onboarding.%I', parent || '_first'));
    IF is_covered OR to_regclass(format('onboarding.%I', name)) IS NOT NULL THEN RETURN false; END IF;
    IF rest IS NOT NULL THEN
        EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', rest);
        EXECUTE format('SELECT count(*) FROM (SELECT FROM %s WHERE %s LIMIT 100001) AS s', rest, bounds) INTO early;
        IF early > 100000 THEN RETURN false; END IF;
    END IF;
    EXECUTE format('CREATE TABLE onboarding.%I (LIKE onboarding.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES) '
        'WITH (fillfactor = 100, autovacuum_vacuum_insert_scale_factor = 0.1)', name, parent);
    IF early > 0 THEN
        EXECUTE format('WITH moved AS (DELETE FROM %s WHERE %s RETURNING *) INSERT INTO onboarding.%I SELECT * FROM moved',
            rest, bounds, name);
    END IF;
    EXECUTE format('ALTER TABLE onboarding.%I ATTACH PARTITION onboarding.%I FOR VALUES FROM (%L) TO (%L)',
        parent, name, start, start + interval '1 month');
    RETURN true;
END;
$$;

-- Where a partition ends; null for the one that takes the rest.
CREATE FUNCTION onboarding.partition_end(partition oid) RETURNS timestamptz
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO' AS $$
    SELECT substring(pg_get_expr(c.relpartbound, c.oid) FROM 'TO \(''([^'']+)''\)')::timestamptz FROM pg_catalog.pg_class c WHERE c.oid = partition;
$$;

-- Looks after history and retention; every worker calls it now and then, and one at a time does something: makes the
-- partitions of this month and the two that follow, drops those that `maintenance.keep_history` lets go, and deletes up
-- to `max_jobs` finished jobs that `kinds.keep_finished` lets go. Returns null when another is at it or was a moment ago.
CREATE FUNCTION onboarding.maintain(
    max_jobs integer, OUT partitions_made integer, OUT partitions_dropped integer, OUT jobs_deleted integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
SET enable_seqscan = off AS $$
DECLARE
    settings onboarding.maintenance;
    place record;
BEGIN
    SELECT * INTO settings FROM onboarding.maintenance FOR UPDATE SKIP LOCKED;
    IF NOT FOUND OR settings.last_run_at > clock_timestamp() - interval '10 s' THEN RETURN; END IF;
    UPDATE onboarding.maintenance SET last_run_at = clock_timestamp();
    partitions_made := 0; partitions_dropped := 0; jobs_deleted := 0;
    FOR place IN
        SELECT p.parent, now() + ahead * interval '1 month' AS month
        FROM unnest(ARRAY['attempts', 'state_changes']) AS p (parent) CROSS JOIN generate_series(0, 2) AS ahead
    LOOP
        IF onboarding.add_partition(place.parent, place.month) THEN partitions_made := partitions_made + 1; END IF;
    END LOOP;
    IF settings.keep_history IS NOT NULL THEN
        FOR place IN
            SELECT i.inhparent::regclass AS parent, i.inhrelid::regclass AS partition
            FROM pg_catalog.pg_inherits i
            WHERE i.inhparent IN ('onboarding.attempts'::regclass, 'onboarding.state_changes'::regclass)
              AND onboarding.partition_end(i.inhrelid) < now() - settings.keep_history
        LOOP
            -- Detached first, so that the parent is locked for a moment only.
            EXECUTE format('ALTER TABLE %s DETACH PARTITION %s', place.parent, place.partition);
            EXECUTE format('DROP TABLE %s', place.partition);
            partitions_dropped := partitions_dropped + 1;
        END LOOP;
    END IF;
    FOR place IN SELECT k.kind, k.provider, k.keep_finished FROM onboarding.kinds k WHERE k.keep_finished IS NOT NULL LOOP
        WITH old AS (
            SELECT j.id FROM onboarding.jobs j
            WHERE j.finished_at < now() - place.keep_finished AND j.provider = place.provider AND j.kind = place.kind
              -- One that others came after stays until they are gone.
              AND NOT EXISTS (SELECT 1 FROM onboarding.jobs d WHERE d.after_job_id = j.id)
            ORDER BY j.finished_at LIMIT max_jobs - jobs_deleted
            FOR UPDATE SKIP LOCKED
        ), evidence AS (
            DELETE FROM onboarding.late_successes l USING old o WHERE l.job_id = o.id
        ), gone AS (
            DELETE FROM onboarding.jobs j USING old o WHERE j.id = o.id RETURNING 1
        )
        SELECT jobs_deleted + count(*) INTO jobs_deleted FROM gone;
    END LOOP;
END;
$$;
SELECT onboarding.maintain(0);

GRANT EXECUTE ON FUNCTION onboarding.maintain TO onboarding_worker, onboarding_operator;
REVOKE ALL ON FUNCTION onboarding.add_partition, onboarding.partition_end, onboarding.maintain FROM PUBLIC;
GRANT UPDATE (keep_finished) ON onboarding.kinds TO onboarding_operator;
GRANT UPDATE (keep_history) ON onboarding.maintenance TO onboarding_operator;
