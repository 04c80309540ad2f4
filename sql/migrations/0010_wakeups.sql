-- What costs callers and monitors no more than it must: wake-ups that do not make commits queue up, and a view of the
-- queue whose time does not grow with what has ended.
INSERT INTO onboarding.migrations (version, name) VALUES (10, 'wakeups');

-- A transaction that has notified holds a lock of the whole cluster from just before its commit is flushed until after it
-- (PostgreSQL's PreCommit_Notify), so those that do commit one by one; and every listener costs something with each. Hence
-- one wake-up stands for all commits of the next five milliseconds that bring the provider jobs; workers look once more
-- that long after it. It names the provider, so that workers of others sleep on; without a name it is for all.

-- When the workers of a provider were last woken, in milliseconds since 1970. Sequences, since they are seen before their
-- transaction commits. One that rolls back afterwards, or loses the value with a crash, costs a wait for the next poll.
CREATE SEQUENCE onboarding.last_wakeup_iron;
CREATE SEQUENCE onboarding.last_wakeup_connect;
CREATE SEQUENCE onboarding.last_wakeup_axisfi;
CREATE SEQUENCE onboarding.last_wakeup_juicyway;

CREATE FUNCTION onboarding.wake_workers(provider text, already_woken text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    -- A provider without a sequence wakes its workers with every commit.
    last_wakeup regclass := to_regclass('onboarding.last_wakeup_' || provider);
    t bigint := extract(epoch FROM clock_timestamp()) * 1000;
BEGIN
    PERFORM set_config('onboarding.has_woken', concat(already_woken, ' ', provider), true);
    IF coalesce(pg_sequence_last_value(last_wakeup), 0) NOT BETWEEN t - 5 AND t THEN
        PERFORM setval(last_wakeup, t);
        PERFORM pg_notify('onboarding_jobs', provider);
    END IF;
END;
$$;

-- Runs at the commit, not at the insert: a transaction may stay open for long after it, and must hold up nobody's wake-up.
-- Called for each row, of which the first is enough: without settings of its own, which would cost more than the rest.
CREATE OR REPLACE FUNCTION onboarding.notify_jobs() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    already_woken text := pg_catalog.current_setting('onboarding.has_woken', true);
BEGIN
    IF pg_catalog.strpos(already_woken, NEW.provider) > 0 THEN RETURN NULL; END IF;
    PERFORM onboarding.wake_workers(NEW.provider, already_woken);
    RETURN NULL;
END;
$$;

DROP TRIGGER jobs_notify ON onboarding.jobs;
CREATE CONSTRAINT TRIGGER jobs_notify AFTER INSERT ON onboarding.jobs DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW WHEN (NEW.state = 'available' AND NOT NEW.is_behind AND NEW.run_at <= now()) EXECUTE FUNCTION onboarding.notify_jobs();

-- Jobs that ended, by minute; `maintain` counts each minute once, when all that ended in it have surely committed.
CREATE TABLE onboarding.ended_by_minute (
    minute timestamptz NOT NULL,
    provider text NOT NULL,
    completed bigint NOT NULL,
    failed bigint NOT NULL,
    PRIMARY KEY (minute, provider)
);
-- Until when they are counted.
ALTER TABLE onboarding.maintenance ADD COLUMN counted_until timestamptz;

-- Counts the minutes that are over and not yet counted, of the last hour at most.
CREATE FUNCTION onboarding.count_ended() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off AS $$
DECLARE
    start timestamptz;
    until timestamptz := date_trunc('minute', now() - interval '30 s');
BEGIN
    SELECT greatest(m.counted_until, date_trunc('minute', now() - interval '61 minutes')) INTO start
    FROM onboarding.maintenance m;
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
        FROM onboarding.maintenance m
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

-- wake_workers stays everybody's who may use the schema: whoever inserts calls it.
REVOKE ALL ON FUNCTION onboarding.count_ended, onboarding.queue_counts FROM PUBLIC;
GRANT EXECUTE ON FUNCTION onboarding.queue_counts TO onboarding_operator, onboarding_monitor, onboarding_worker;
