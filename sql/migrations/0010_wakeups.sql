-- What costs callers and monitors no more than it must: wake-ups that do not make commits queue up, and a view of the
-- queue whose time does not grow with what has ended.
INSERT INTO onboarding.migrations (version, name) VALUES (10, 'wakeups');

-- A transaction that has notified holds a lock of the whole cluster from just before its commit is flushed until after it
-- (PostgreSQL's PreCommit_Notify), so those that do commit one by one; and every listener costs something with each. Hence
-- one wake-up stands for all commits of the next ten milliseconds that bring the provider jobs; workers look a few times
-- more after it. It names the provider, so that workers of others sleep on; without a name it is for all.

CREATE FUNCTION onboarding.wake_workers(provider text, already_woken text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    -- When the provider's workers were last woken, in milliseconds since 1970. A sequence, which `migrate` makes for each
    -- provider, since it is seen before its transaction commits. One that rolls back afterwards, or loses the value with a
    -- crash, costs a wait for the next poll. A provider without a sequence wakes its workers with every commit.
    last_wakeup regclass := to_regclass(format('onboarding.%I', 'last_wakeup_' || provider));
    t bigint := extract(epoch FROM clock_timestamp()) * 1000;
BEGIN
    PERFORM set_config('onboarding.has_woken', concat(already_woken, ' ', provider, ' '), true);
    IF coalesce(pg_sequence_last_value(last_wakeup), 0) NOT BETWEEN t - 10 AND t AND NOT onboarding.is_preparing() THEN
        PERFORM setval(last_wakeup, t);
        PERFORM pg_notify('onboarding_jobs', provider);
    END IF;
END;
$$;

-- Runs at the commit, not at the insert: a transaction may stay open for long after it, and must hold up nobody's wake-up.
-- As its owner, since whoever commits need not be who inserted. Called for each row, of which the first is enough: without
-- settings of its own, which would cost more than the rest, and so with every name in full.
CREATE OR REPLACE FUNCTION onboarding.notify_jobs() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    already_woken pg_catalog.text := pg_catalog.current_setting('onboarding.has_woken', true);
BEGIN
    IF pg_catalog.strpos(already_woken, pg_catalog.concat(' ', NEW.provider, ' ')) OPERATOR(pg_catalog.>) 0 THEN
        RETURN NULL;
    END IF;
    PERFORM onboarding.wake_workers(NEW.provider, already_woken);
    RETURN NULL;
END;
$$;

-- For the same reason results do not notify: their worker tells callers afterwards, in a commit that waits for no disk.
CREATE FUNCTION onboarding.announce(job_ids bigint[], states text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    -- Not by `notify_event`, whose call for each would cost six times as much.
    PERFORM pg_notify('onboarding_events', format('{"job_id": %s, "state": "%s"}', e.job_id, e.state))
    FROM unnest(job_ids, states) AS e (job_id, state);
END;
$$;

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

-- Jobs that ended, by minute; `maintain` counts each minute once, two minutes after it. What commits later than that is
-- missing from the counts for an hour.
CREATE TABLE onboarding.ended_by_minute (
    minute timestamptz NOT NULL,
    provider text NOT NULL,
    completed bigint NOT NULL,
    failed bigint NOT NULL,
    PRIMARY KEY (minute, provider)
);

-- Until when minutes are counted.
ALTER TABLE onboarding.maintenance ADD COLUMN counted_until timestamptz;

-- Counts the minutes that are over and not yet counted, of the last hour at most.
CREATE FUNCTION onboarding.count_ended() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off AS $$
DECLARE
    start timestamptz;
    until timestamptz := date_trunc('minute', now() - interval '2 minutes');
BEGIN
    -- A clock that was ahead may have left a time to come.
    SELECT greatest(CASE WHEN m.counted_until <= now() THEN m.counted_until END, date_trunc('minute', now() - interval '61 minutes'))
    INTO start FROM onboarding.maintenance m;
    IF until <= start THEN RETURN; END IF;
    INSERT INTO onboarding.ended_by_minute (minute, provider, completed, failed)
    SELECT date_trunc('minute', j.finished_at), j.provider,
        count(*) FILTER (WHERE j.state = 'completed'), count(*) FILTER (WHERE j.state = 'failed')
    FROM onboarding.jobs j
    WHERE j.finished_at >= start AND j.finished_at < until
    GROUP BY 1, 2
    ON CONFLICT DO NOTHING;
    UPDATE onboarding.maintenance SET counted_until = until;
    DELETE FROM onboarding.ended_by_minute e WHERE e.minute < now() - interval '2 hours';
END;
$$;

CREATE OR REPLACE FUNCTION onboarding.maintain(
    max_jobs integer, OUT partitions_made integer, OUT partitions_dropped integer, OUT jobs_deleted integer
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' SET enable_seqscan = off SET jit = off AS $$
DECLARE
    settings onboarding.maintenance;
    place record;
BEGIN
    SELECT * INTO settings FROM onboarding.maintenance FOR UPDATE SKIP LOCKED;
    IF NOT FOUND OR settings.last_run_at > clock_timestamp() - interval '10 s' THEN RETURN; END IF;
    UPDATE onboarding.maintenance SET last_run_at = clock_timestamp();
    PERFORM onboarding.count_ended();
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

-- What `queue_health` counts. A function of its own, since compiling the statement would take longer than running it.
CREATE FUNCTION onboarding.queue_counts() RETURNS TABLE (
    provider text, due bigint, scheduled bigint, running bigint, waiting bigint, uncertain bigint, blocked bigint,
    completed_last_hour bigint, failed_last_hour bigint, oldest_due_age_seconds double precision
)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off AS $$
    WITH ended AS (
        -- The minutes that are counted and lie wholly in the hour, and what ended before and after them.
        SELECT e.provider, e.completed, e.failed FROM onboarding.ended_by_minute e WHERE e.minute > now() - interval '1 hour'
        UNION ALL
        SELECT j.provider, count(*) FILTER (WHERE j.state = 'completed'), count(*) FILTER (WHERE j.state = 'failed')
        FROM (SELECT CASE WHEN m.counted_until <= now() THEN m.counted_until END AS counted_until FROM onboarding.maintenance m) AS m
        CROSS JOIN LATERAL (VALUES
            (now() - interval '1 hour', least(date_trunc('minute', now() - interval '59 minutes'), coalesce(m.counted_until, '-infinity'))),
            (greatest(m.counted_until, now() - interval '1 hour'), 'infinity')) AS part (start, until)
        JOIN onboarding.jobs j ON j.finished_at >= part.start AND j.finished_at < part.until
        GROUP BY 1
    )
    SELECT p.provider, q.*, coalesce(h.completed, 0), coalesce(h.failed, 0), o.age
    FROM onboarding.providers p
    CROSS JOIN LATERAL (
        SELECT
            (SELECT count(*) FROM onboarding.jobs j
                WHERE j.provider = p.provider AND j.state = 'available' AND NOT j.is_behind AND j.run_at <= now())
            + (SELECT count(*) FROM onboarding.jobs j
                WHERE j.provider = p.provider AND j.state = 'available' AND j.is_behind AND j.run_at <= now()),
            (SELECT count(*) FROM onboarding.jobs j
                WHERE j.provider = p.provider AND j.state = 'available' AND NOT j.is_behind AND j.run_at > now())
            + (SELECT count(*) FROM onboarding.jobs j
                WHERE j.provider = p.provider AND j.state = 'available' AND j.is_behind AND j.run_at > now()),
            (SELECT count(*) FROM onboarding.jobs j WHERE j.provider = p.provider AND j.state = 'running'),
            (SELECT count(*) FROM onboarding.jobs j WHERE j.provider = p.provider AND j.state = 'waiting'),
            (SELECT count(*) FROM onboarding.jobs j WHERE j.provider = p.provider AND j.state = 'uncertain'),
            (SELECT count(*) FROM onboarding.jobs j WHERE j.provider = p.provider AND j.state = 'blocked')) AS q
    CROSS JOIN LATERAL (
        SELECT extract(epoch FROM now() - min(oldest.run_at))::double precision AS age
        FROM generate_series(0, 9) AS priorities (priority)
        CROSS JOIN LATERAL (
            SELECT j.run_at FROM onboarding.jobs j
            WHERE j.provider = p.provider AND j.state = 'available' AND NOT j.is_behind AND j.priority = priorities.priority
              AND j.run_at <= now()
            ORDER BY j.run_at LIMIT 1) AS oldest) AS o
    LEFT JOIN (
        SELECT e.provider, sum(e.completed)::bigint AS completed, sum(e.failed)::bigint AS failed FROM ended e GROUP BY 1) AS h
        ON h.provider = p.provider;
$$;

CREATE OR REPLACE VIEW onboarding.queue_health AS
SELECT p.provider, q.due, q.scheduled, q.running, q.waiting, q.uncertain, q.blocked, q.completed_last_hour, q.failed_last_hour,
    q.oldest_due_age_seconds, coalesce(p.paused_until > now(), false) AS paused, p.circuit
FROM onboarding.queue_counts() q
JOIN onboarding.providers p ON p.provider = q.provider;

REVOKE ALL ON FUNCTION onboarding.wake_workers, onboarding.count_ended, onboarding.announce, onboarding.queue_counts FROM PUBLIC;
GRANT EXECUTE ON FUNCTION onboarding.announce TO onboarding_worker;
-- For readers of `queue_health`.
GRANT EXECUTE ON FUNCTION onboarding.queue_counts TO onboarding_operator, onboarding_monitor, onboarding_worker;

-- The table in which everybody writes comes last: a reader of the view locks that first, too.
-- Half a page stays free for the two versions that a job's run writes: on the row's own page they need no lock record and
-- log only what has changed, a sixth less WAL a job; and the table ends up smaller.
ALTER TABLE onboarding.jobs SET (fillfactor = 50);
DROP TRIGGER jobs_notify ON onboarding.jobs;
CREATE CONSTRAINT TRIGGER jobs_notify AFTER INSERT ON onboarding.jobs DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW WHEN (NEW.state = 'available' AND NOT NEW.is_behind AND NEW.run_at <= clock_timestamp())
EXECUTE FUNCTION onboarding.notify_jobs();
