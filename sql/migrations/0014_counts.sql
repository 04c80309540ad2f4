-- What `queue_health` counts takes as long for a million jobs that wait as for a hundred thousand: each look counts up to a
-- bound, and what lies above it is counted once a minute by whoever maintains. To count a million takes 0.2 s and more. And
-- ends are counted where they are written, a row for many: to count three minutes' of them took 0.2 s at full load.
INSERT INTO onboarding.migrations (version, name) VALUES (14, 'counts');

-- The last whole count of each provider that had more waiting than a look counts; null is what a look counts by itself.
CREATE TABLE onboarding.backlog (
    provider text PRIMARY KEY,
    due bigint,
    scheduled bigint,
    waiting bigint,
    uncertain bigint,
    blocked bigint,
    counted_at timestamptz NOT NULL
);

-- The jobs that have not ended, by provider and what they wait for. A count that reaches `at_most` stops and is null; those
-- of jobs that wait for a decision or are uncertain stop for all providers together. Null counts all.
CREATE FUNCTION onboarding.count_backlog(at_most bigint) RETURNS TABLE (
    provider text, due bigint, scheduled bigint, running bigint, waiting bigint, uncertain bigint, blocked bigint
)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off AS $$
    -- Their index does not know the provider: one walk for all.
    WITH undecided AS (
        SELECT s.provider, s.state, count(*) AS jobs
        FROM ((SELECT j.provider, j.state FROM onboarding.jobs j WHERE j.state = 'waiting' LIMIT at_most)
            UNION ALL
            (SELECT j.provider, j.state FROM onboarding.jobs j WHERE j.state = 'uncertain' LIMIT at_most)) AS s
        GROUP BY 1, 2
    )
    SELECT p.provider,
        CASE WHEN first.jobs + behind.jobs >= at_most THEN NULL ELSE first.due + behind.due END,
        CASE WHEN first.jobs + behind.jobs >= at_most THEN NULL ELSE first.jobs - first.due + behind.jobs - behind.due END,
        (SELECT count(*) FROM onboarding.jobs j
            WHERE j.provider = p.provider AND j.state = 'running'
              -- Entries of those that ended before it stay while somebody holds a snapshot.
              AND j.claimed_at >= (SELECT m.running_since FROM onboarding.maintenance m)),
        (SELECT CASE WHEN sum(u.jobs) >= at_most THEN NULL
            ELSE coalesce(sum(u.jobs) FILTER (WHERE u.provider = p.provider), 0)::bigint END
            FROM undecided u WHERE u.state = 'waiting'),
        (SELECT CASE WHEN sum(u.jobs) >= at_most THEN NULL
            ELSE coalesce(sum(u.jobs) FILTER (WHERE u.provider = p.provider), 0)::bigint END
            FROM undecided u WHERE u.state = 'uncertain'),
        (SELECT CASE WHEN count(*) >= at_most THEN NULL ELSE count(*) END
            FROM (SELECT FROM onboarding.jobs j WHERE j.provider = p.provider AND j.state = 'blocked' LIMIT at_most) AS s)
    FROM onboarding.providers p
    CROSS JOIN LATERAL (
        SELECT count(*) AS jobs, count(*) FILTER (WHERE s.run_at <= now()) AS due
        FROM (SELECT j.run_at FROM onboarding.jobs j
            WHERE j.provider = p.provider AND j.state = 'available' AND NOT j.is_behind LIMIT at_most) AS s) AS first
    CROSS JOIN LATERAL (
        SELECT count(*) AS jobs, count(*) FILTER (WHERE s.run_at <= now()) AS due
        FROM (SELECT j.run_at FROM onboarding.jobs j
            WHERE j.provider = p.provider AND j.state = 'available' AND j.is_behind LIMIT at_most) AS s) AS behind;
$$;

-- How many of a provider's jobs in one state a look at `queue_health` counts: for four providers 0.05 s at most.
CREATE FUNCTION onboarding.counted_at_once() RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT 100000';

-- What a look shows of what waits: its own counts, and for those that stopped the last whole ones, while those are younger
-- than `max_age`. Null where there is none.
CREATE FUNCTION onboarding.known_backlog(max_age interval) RETURNS TABLE (
    provider text, due bigint, scheduled bigint, running bigint, waiting bigint, uncertain bigint, blocked bigint
)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
    SELECT s.provider, coalesce(s.due, b.due), coalesce(s.scheduled, b.scheduled), s.running, coalesce(s.waiting, b.waiting),
        coalesce(s.uncertain, b.uncertain), coalesce(s.blocked, b.blocked)
    FROM onboarding.count_backlog(onboarding.counted_at_once()) s
    LEFT JOIN onboarding.backlog b ON b.provider = s.provider
        AND b.counted_at BETWEEN statement_timestamp() - max_age AND statement_timestamp();
$$;

-- Counts all where a look cannot, at most once a minute.
CREATE FUNCTION onboarding.count_whole_backlog() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off AS $$
BEGIN
    -- One at a time; whoever comes second leaves it to the first.
    PERFORM FROM onboarding.maintenance FOR UPDATE SKIP LOCKED;
    IF NOT FOUND
        OR NOT EXISTS (SELECT FROM onboarding.known_backlog('50 s') k WHERE num_nulls(k.due, k.waiting, k.uncertain, k.blocked) > 0)
    THEN RETURN; END IF;
    INSERT INTO onboarding.backlog AS b (provider, due, scheduled, waiting, uncertain, blocked, counted_at)
    SELECT c.provider, CASE WHEN s.due IS NULL THEN c.due END, CASE WHEN s.due IS NULL THEN c.scheduled END,
        CASE WHEN s.waiting IS NULL THEN c.waiting END, CASE WHEN s.uncertain IS NULL THEN c.uncertain END,
        CASE WHEN s.blocked IS NULL THEN c.blocked END, statement_timestamp()
    FROM onboarding.count_backlog(onboarding.counted_at_once()) s JOIN onboarding.count_backlog(NULL) c USING (provider)
    ON CONFLICT (provider) DO UPDATE SET due = excluded.due, scheduled = excluded.scheduled, waiting = excluded.waiting,
        uncertain = excluded.uncertain, blocked = excluded.blocked, counted_at = excluded.counted_at;
END;
$$;

-- Ends that no minute's sum has yet, a row for those of one transaction. A row is here or in a sum, never in both, whatever
-- clocks do and however late its transaction commits.
CREATE TABLE onboarding.ended (
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    provider text NOT NULL,
    completed bigint NOT NULL,
    failed bigint NOT NULL
);
CREATE INDEX ended_at_idx ON onboarding.ended (at);

-- What no minute has been counted for; what ends while this migration runs may be missing from an hour's count.
INSERT INTO onboarding.ended (at, provider, completed, failed)
SELECT date_trunc('second', j.finished_at), j.provider,
    count(*) FILTER (WHERE j.state = 'completed'), count(*) FILTER (WHERE j.state = 'failed')
FROM onboarding.maintenance m
JOIN onboarding.jobs j ON j.finished_at >= greatest(
    CASE WHEN m.counted_until <= now() THEN m.counted_until END, now() - interval '1 hour')
GROUP BY 1, 2;

-- Jobs that end otherwise than by a call.
CREATE FUNCTION onboarding.count_end() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO onboarding.ended (provider, completed, failed)
    SELECT j.provider, (NEW.to_state = 'completed')::integer, (NEW.to_state = 'failed')::integer
    FROM onboarding.jobs j WHERE j.id = NEW.job_id;
    RETURN NULL;
END;
$$;

-- Moves ends into their minutes' sums, up to 50,000 rows, and lets go of sums that nobody asks for any more.
CREATE OR REPLACE FUNCTION onboarding.count_ended() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off AS $$
DECLARE
    moment timestamptz := clock_timestamp();
    moved bigint;
BEGIN
    WITH gone AS (
        DELETE FROM onboarding.ended e
        WHERE e.ctid = ANY (ARRAY(SELECT o.ctid FROM onboarding.ended o ORDER BY o.at LIMIT 50000))
        RETURNING e.at, e.provider, e.completed, e.failed
    ), summed AS (
        INSERT INTO onboarding.ended_by_minute AS b (minute, provider, completed, failed)
        SELECT date_trunc('minute', g.at), g.provider, sum(g.completed), sum(g.failed)
        FROM gone g
        WHERE g.at > moment - interval '2 hours'
        GROUP BY 1, 2
        ON CONFLICT (minute, provider) DO UPDATE
        SET completed = b.completed + excluded.completed, failed = b.failed + excluded.failed
    )
    SELECT count(*) INTO moved FROM gone;
    -- Where more are left they are still looked for among the rows.
    IF moved < 50000 THEN UPDATE onboarding.maintenance SET counted_until = moment; END IF;
    DELETE FROM onboarding.ended_by_minute e WHERE e.minute < moment - interval '2 hours';
END;
$$;

-- What is written for one job is found by its id, whatever the statistics say. Right after an analyze that saw no running
-- jobs, the index of those seemed shorter: each write then compared every running job with every result. So the state is
-- asked in a way that no partial index answers, here and in `mark_sent`.
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
            -- What is given back as it was claimed keeps its place.
            backoff_step = CASE WHEN r.state = 'available' AND (r.outcome <> 'not_sent' OR r.counted OR r.delay_ms > 0)
                THEN least(j.backoff_step + 1, 1000) ELSE j.backoff_step END,
            run_at = CASE WHEN r.state = 'available' AND (r.outcome <> 'not_sent' OR r.counted OR r.delay_ms > 0)
                THEN now() + r.delay_ms * interval '1 ms' ELSE j.run_at END,
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
        WHERE j.id = r.job_id AND j.claim_token = r.token AND coalesce(j.state, '') = 'running'
        RETURNING j.id, j.claim_token AS token, j.provider, j.state, j.run_at, j.step, j.order_key, r.claimed_at, r.sent_age_ms,
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
    ), counted AS (
        INSERT INTO onboarding.ended (provider, completed, failed)
        SELECT w.provider, count(*) FILTER (WHERE w.state = 'completed'), count(*) FILTER (WHERE w.state = 'failed')
        FROM written w WHERE w.state IN ('completed', 'failed') GROUP BY w.provider
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
        JOIN onboarding.jobs d ON d.after_job_id = b.id AND coalesce(d.state, '') = 'blocked'
        UNION
        SELECT j.id FROM onboarding.jobs j
        WHERE ordered AND j.id = ANY (job_ids) AND j.order_key IS NOT NULL AND j.state IN ('completed', 'failed', 'cancelled')) s;
    IF ended IS NOT NULL THEN PERFORM onboarding.settle_dependents(ended); END IF;
    PERFORM onboarding.note_provider_health(job_ids, tokens, outcomes, http_statuses, holds_ms);
END;
$$;

-- What `queue_health` counts. A function of its own, since compiling the statement would take longer than running it.
-- What is more than a look counts is as old as the last whole count: about a minute at most while a worker lives. Where there
-- is none of the last five minutes it counts all by itself.
CREATE OR REPLACE FUNCTION onboarding.queue_counts() RETURNS TABLE (
    provider text, due bigint, scheduled bigint, running bigint, waiting bigint, uncertain bigint, blocked bigint,
    completed_last_hour bigint, failed_last_hour bigint, oldest_due_age_seconds double precision
)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off AS $$
    WITH ended AS (
        -- A minute belongs to the hour as long as a part of it does.
        SELECT e.provider, e.completed, e.failed FROM onboarding.ended_by_minute e
        WHERE e.minute > statement_timestamp() - interval '61 minutes'
        UNION ALL
        -- What was moved into sums keeps entries while somebody holds a snapshot: passed by, but for those that commit late.
        SELECT e.provider, e.completed, e.failed
        FROM onboarding.maintenance m
        JOIN onboarding.ended e ON e.at > greatest(statement_timestamp() - interval '61 minutes',
            least(coalesce(m.counted_until, '-infinity'), statement_timestamp()) - interval '5 minutes')
    )
    SELECT s.provider, coalesce(s.due, l.due), coalesce(s.scheduled, l.scheduled), s.running, coalesce(s.waiting, l.waiting),
        coalesce(s.uncertain, l.uncertain), coalesce(s.blocked, l.blocked), coalesce(h.completed, 0), coalesce(h.failed, 0), o.age
    FROM onboarding.known_backlog('5 minutes') s
    LEFT JOIN LATERAL (
        -- Runs only where something has not been counted.
        SELECT c.due, c.scheduled, c.waiting, c.uncertain, c.blocked FROM onboarding.count_backlog(NULL) c
        WHERE c.provider = s.provider AND num_nulls(s.due, s.waiting, s.uncertain, s.blocked) > 0
        LIMIT 1) AS l ON true
    CROSS JOIN LATERAL (
        SELECT extract(epoch FROM now() - min(oldest.run_at))::double precision AS age
        FROM generate_series(0, 9) AS priorities (priority)
        CROSS JOIN LATERAL (
            SELECT j.run_at FROM onboarding.jobs j
            WHERE j.provider = s.provider AND j.state = 'available' AND NOT j.is_behind AND j.priority = priorities.priority
              AND j.run_at <= now()
            ORDER BY j.run_at LIMIT 1) AS oldest) AS o
    LEFT JOIN (
        SELECT e.provider, sum(e.completed)::bigint AS completed, sum(e.failed)::bigint AS failed FROM ended e GROUP BY 1) AS h
        ON h.provider = s.provider;
$$;

REVOKE ALL ON FUNCTION onboarding.count_backlog, onboarding.known_backlog, onboarding.counted_at_once,
    onboarding.count_whole_backlog, onboarding.count_end FROM PUBLIC;
GRANT EXECUTE ON FUNCTION onboarding.count_whole_backlog TO onboarding_worker, onboarding_operator;

-- The table in which others write comes last. A row that is older than its transaction comes from a dump: it was counted when
-- it was written.
CREATE TRIGGER state_changes_count_end AFTER INSERT ON onboarding.state_changes
FOR EACH ROW WHEN (NEW.to_state IN ('completed', 'failed') AND NEW.at >= now()) EXECUTE FUNCTION onboarding.count_end();
