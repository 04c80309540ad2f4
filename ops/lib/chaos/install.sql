-- What the fault campaign puts into its own database, beside the schema: never into another.
CREATE SCHEMA chaos;
CREATE TABLE chaos.campaign AS SELECT clock_timestamp() AS started_at;

-- Jobs to which something happened while the database's clock was wrong: their times say nothing of an order.
CREATE VIEW chaos.astray AS
SELECT DISTINCT x.job_id FROM (
    SELECT j.id AS job_id, unnest(ARRAY[j.created_at, j.updated_at, j.claimed_at, j.finished_at]) AS at FROM onboarding.jobs j
    UNION ALL SELECT a.job_id, unnest(ARRAY[a.claimed_at, a.sent_at, a.finished_at]) FROM onboarding.attempts a
    UNION ALL SELECT s.job_id, s.at FROM onboarding.state_changes s) x
CROSS JOIN chaos.campaign c
WHERE x.at NOT BETWEEN c.started_at AND clock_timestamp();

-- What is disturbed at this moment, set by the campaign: seconds of pause, or a probability.
CREATE TABLE chaos.settings (name text PRIMARY KEY, value double precision NOT NULL);
INSERT INTO chaos.settings VALUES ('pause_claim', 0), ('pause_complete', 0), ('errors', 0), ('disk_full', 0);

-- Holds a claim or a completion open before its commit, or fails it with an error of a busy server.
CREATE FUNCTION chaos.disturb() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    pause double precision;
    errors double precision;
BEGIN
    SELECT max(s.value) FILTER (WHERE s.name = CASE WHEN NEW.state = 'running' THEN 'pause_claim' ELSE 'pause_complete' END),
        max(s.value) FILTER (WHERE s.name = 'errors')
    INTO pause, errors FROM chaos.settings s;
    -- Once a transaction, however many rows it has.
    IF pause > 0 AND coalesce(current_setting('chaos.paused', true), '') <> 'yes' THEN
        PERFORM set_config('chaos.paused', 'yes', true), pg_sleep(pause);
    END IF;
    IF random() < errors THEN
        RAISE EXCEPTION 'an error on demand'
            USING ERRCODE = (ARRAY['serialization_failure', 'deadlock_detected', 'query_canceled', 'lock_not_available'])[1 + floor(random() * 4)::integer];
    END IF;
    RETURN NULL;
END;
$$;
CREATE TRIGGER chaos_disturb AFTER UPDATE OF state ON onboarding.jobs
FOR EACH ROW WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION chaos.disturb();

CREATE FUNCTION chaos.fill_disk() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT s.value FROM chaos.settings s WHERE s.name = 'disk_full') > 0 THEN
        RAISE EXCEPTION 'could not extend the journal: no space left on device' USING ERRCODE = 'disk_full';
    END IF;
    RETURN NULL;
END;
$$;
CREATE TRIGGER chaos_fill_disk AFTER INSERT ON onboarding.attempts FOR EACH STATEMENT EXECUTE FUNCTION chaos.fill_disk();

-- Every key that ever stood in a job's row, whatever worker and journal say.
CREATE TABLE chaos.keys (job_id bigint, key uuid, PRIMARY KEY (key, job_id));
CREATE FUNCTION chaos.note_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO chaos.keys VALUES (NEW.id, NEW.idempotency_key) ON CONFLICT DO NOTHING;
    RETURN NULL;
END;
$$;
CREATE TRIGGER chaos_note_key AFTER INSERT OR UPDATE OF idempotency_key ON onboarding.jobs
FOR EACH ROW EXECUTE FUNCTION chaos.note_key();

-- What each job's body is, computed from the payload itself.
CREATE TABLE chaos.bodies (job_id bigint PRIMARY KEY, body_sha256 bytea);

-- The other two books: what the callers know that they committed, and what the providers did.
CREATE TABLE chaos.enqueued (job_id bigint PRIMARY KEY);
CREATE TABLE chaos.ledger (
    seq bigint PRIMARY KEY, provider text, operation text, provider_id text, idempotency_key uuid, body_sha256 bytea, at timestamptz);
CREATE INDEX ledger_digest ON chaos.ledger (body_sha256);

-- The program's definitions: what protects a kind against a lost answer, and a payload with {mark}, {n} and {address} in it.
-- The fields are those without which it cannot be looked up.
CREATE TABLE chaos.kinds (
    number integer PRIMARY KEY, kind text UNIQUE, provider text, parent_kind text, has_key boolean, looks_up boolean,
    look_up_fields text[], fields_are_optional boolean, example jsonb);
CREATE VIEW chaos.protections AS
SELECT j.id AS job_id, k.has_key, k.looks_up AND j.payload ?& k.look_up_fields AS can_look_up
FROM onboarding.jobs j JOIN chaos.kinds k ON k.kind = j.kind;

-- A payload of its own. Every field that takes free text has the mark.
CREATE FUNCTION chaos.payload(k chaos.kinds, n bigint, mark text, address text) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object('chaos', n)
        || replace(replace(replace(k.example::text, '{mark}', mark), '{n}', n::text), '{address}', address)::jsonb;
$$;

-- One job as the campaign's callers put it in, after its parent where it has one.
CREATE FUNCTION chaos.enqueue(n bigint, mark text) RETURNS SETOF bigint LANGUAGE plpgsql AS $$
DECLARE
    k chaos.kinds;
    child chaos.kinds;
    job bigint;
    -- Every seventh waits its turn behind the others of its key; every eleventh expires, long after it should be done, and
    -- as many within seconds, which may be while it runs or while it is not known what became of it.
    ordered text := CASE WHEN n % 7 = 0 THEN 'key-' || n % 3 END;
    ends timestamptz := CASE n % 11 WHEN 0 THEN now() + interval '2 hours' WHEN 5 THEN now() + interval '2 s' + random() * interval '8 s' END;
    -- Every seventeenth has an address that its provider refuses, every fourth cannot be looked up where that is possible.
    address text := format('%s.%s@example.%s', lower(mark), n, CASE WHEN n % 17 = 3 THEN 'invalid' ELSE 'com' END);
    without text[];
BEGIN
    SELECT * INTO k FROM chaos.kinds x WHERE x.number = n % (SELECT count(*) FROM chaos.kinds);
    IF k.parent_kind IS NOT NULL THEN
        child := k;
        SELECT * INTO k FROM chaos.kinds x WHERE x.kind = child.parent_kind;
    END IF;
    without := CASE WHEN k.fields_are_optional AND n % 4 = 1 THEN k.look_up_fields ELSE '{}' END;
    job := onboarding.enqueue(k.kind, chaos.payload(k, n, mark, address) - without, reference => 'ref-' || n, unique_key => 'u-' || n,
        -- One whose fate nothing tells would hold up all behind it.
        order_key => CASE WHEN k.has_key OR k.looks_up THEN ordered END, expires_at => ends,
        run_at => now() + CASE WHEN k.has_key OR k.looks_up THEN interval '0' ELSE random() * interval '1 s' END);
    RETURN NEXT job;
    IF child.kind IS NOT NULL THEN
        RETURN NEXT onboarding.enqueue(child.kind, chaos.payload(child, n, mark, address), reference => 'ref-' || n,
            after_job_id => job, priority => (n % 10)::integer);
    END IF;
END;
$$;

-- What operators withdraw: up to two jobs at each step, with the number of each. What has ended meanwhile is left.
CREATE FUNCTION chaos.cancel_some() RETURNS TABLE (step text, count bigint) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    job record;
    steps text[] := '{}';
BEGIN
    FOR job IN
        SELECT x.id, x.step FROM (
            SELECT j.id, s.step, row_number() OVER (PARTITION BY s.step ORDER BY random()) AS place
            FROM onboarding.jobs j
            CROSS JOIN LATERAL (SELECT CASE
                WHEN j.state = 'blocked' THEN 'blocked'
                WHEN j.state = 'available' AND j.last_sent_at IS NULL THEN 'unsent'
                WHEN j.state = 'available' THEN 'in doubt, to ' || j.step
                WHEN j.step = 'look_up' THEN 'while looked up'
                WHEN j.marked_at >= j.claimed_at THEN 'after the mark'
                WHEN j.last_sent_at IS NOT NULL THEN 'while sent again'
                ELSE 'while claimed' END AS step) s
            WHERE j.state IN ('available', 'running', 'blocked')) x
        WHERE x.place <= 2
    LOOP
        BEGIN
            PERFORM onboarding.cancel(job.id, 'campaign');
            steps := steps || job.step;
        EXCEPTION WHEN object_not_in_prerequisite_state OR lock_not_available THEN NULL;
        END;
    END LOOP;
    RETURN QUERY SELECT s, count(*) FROM unnest(steps) AS s GROUP BY s;
END;
$$;

-- Cancels the head of an order key, or any job of one.
CREATE FUNCTION chaos.cancel_of_a_key() RETURNS text LANGUAGE sql AS $$
    SELECT onboarding.cancel(j.id, 'campaign') FROM onboarding.jobs j
    WHERE j.order_key IS NOT NULL AND j.state IN ('available', 'running') ORDER BY j.state DESC, j.id LIMIT 1;
$$;

-- What operators do about jobs that have failed or were cancelled: about half get an address that is not refused.
CREATE FUNCTION chaos.retry_some(wanted integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    job record;
    done integer := 0;
BEGIN
    FOR job IN
        SELECT j.id, j.payload FROM onboarding.jobs j WHERE j.state IN ('failed', 'cancelled') ORDER BY random() LIMIT wanted
    LOOP
        BEGIN
            PERFORM onboarding.retry(job.id, 'campaign', CASE WHEN random() < 0.5 AND job.payload ->> 'email' LIKE '%.invalid'
                THEN job.payload || jsonb_build_object('email', replace(job.payload ->> 'email', '.invalid', '.com')) END);
            done := done + 1;
        -- Refused: the job that it waits for has not completed, or nobody knows what became of it.
        EXCEPTION WHEN object_not_in_prerequisite_state THEN NULL;
        END;
    END LOOP;
    RETURN done;
END;
$$;

-- What operators say of jobs that are uncertain, by what the provider's own books showed at `ledger_at`: nothing before
-- what was sent has landed or never will.
CREATE FUNCTION chaos.resolve_some(wanted integer, ledger_at timestamptz, only_in_the_way boolean) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    job record;
    done integer := 0;
BEGIN
    FOR job IN
        SELECT j.id, l.provider_id FROM onboarding.jobs j
        LEFT JOIN chaos.ledger l ON l.body_sha256 = sha256(convert_to(j.payload::text, 'UTF8'))
        WHERE j.state = 'uncertain'
            AND j.updated_at < ledger_at - CASE WHEN l.seq IS NULL THEN interval '15 s' ELSE interval '10 s' END
            AND (NOT only_in_the_way OR EXISTS (
                SELECT 1 FROM onboarding.jobs d
                WHERE (d.after_job_id = j.id AND d.state = 'blocked')
                    OR (d.provider = j.provider AND d.order_key = j.order_key AND d.state = 'available')))
        ORDER BY random() LIMIT wanted
    LOOP
        BEGIN
            PERFORM onboarding.resolve(job.id, CASE WHEN job.provider_id IS NULL THEN 'did_not_happen' ELSE 'happened' END,
                job.provider_id, 'campaign');
            done := done + 1;
        -- Late evidence was faster.
        EXCEPTION WHEN object_not_in_prerequisite_state THEN NULL;
        END;
    END LOOP;
    RETURN done;
END;
$$;

-- A job of eight megabytes, which is more than the kernels at both ends of a connection take. Mostly without a key.
CREATE FUNCTION chaos.enqueue_large() RETURNS bigint LANGUAGE sql AS $$
    SELECT onboarding.enqueue(k.kind, chaos.payload(k, n, 'Large', gen_random_uuid() || '@example.com')
        || jsonb_build_object('large', repeat('x', 8000000)), priority => 0)
    FROM chaos.kinds k, (SELECT 1000000000 + floor(random() * 1000000000000)::bigint) AS r (n)
    WHERE k.looks_up AND k.parent_kind IS NULL ORDER BY random() * CASE WHEN k.has_key THEN 0.6 ELSE 1 END DESC LIMIT 1;
$$;

-- Drops the partitions of the last month that was made ahead, for a worker in another time zone to make again.
CREATE FUNCTION chaos.forget_last_partitions() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    parent text;
    month text := to_char((now() + interval '2 months') AT TIME ZONE 'UTC', 'YYYYMM');
    holds_rows boolean;
BEGIN
    FOR parent IN SELECT unnest(ARRAY['attempts', 'state_changes']) LOOP
        CONTINUE WHEN to_regclass(format('onboarding.%s_%s', parent, month)) IS NULL;
        EXECUTE format('SELECT EXISTS (SELECT FROM onboarding.%s_%s)', parent, month) INTO holds_rows;
        IF NOT holds_rows THEN EXECUTE format('DROP TABLE onboarding.%s_%s', parent, month); END IF;
    END LOOP;
    UPDATE onboarding.maintenance SET last_run_at = '-infinity';
-- A look at the partition takes a lock that this needs alone; the next fault tries again.
EXCEPTION WHEN lock_not_available OR deadlock_detected THEN NULL;
END;
$$;

-- When each job of an order key was in the way of those behind it: from its insertion or a retry to its next end.
-- A claim at the moment of a retry may not have seen it.
CREATE TABLE chaos.turns (job_id bigint, provider text, order_key text, is_open boolean, is_first boolean,
    opened_at timestamptz, until timestamptz);
CREATE INDEX turns_of_key ON chaos.turns (provider, order_key, job_id);

-- Fills `turns` from the journal.
CREATE FUNCTION chaos.list_turns() RETURNS void LANGUAGE sql AS $$
    TRUNCATE chaos.turns;
    INSERT INTO chaos.turns
    SELECT x.id, x.provider, x.order_key, x.is_open, x.is_first, x.at + x.grace,
        coalesce(lead(x.at) OVER (PARTITION BY x.id ORDER BY x.at), 'infinity')
    FROM (
        SELECT j.id, j.provider, j.order_key, j.created_at AS at, true AS is_open, true AS is_first, interval '0' AS grace
        FROM onboarding.jobs j WHERE j.order_key IS NOT NULL
        UNION ALL
        SELECT j.id, j.provider, j.order_key, s.at, s.to_state = 'available', false, interval '2 s'
        FROM onboarding.jobs j JOIN onboarding.state_changes s ON s.job_id = j.id
        WHERE j.order_key IS NOT NULL AND (s.to_state IN ('completed', 'failed', 'cancelled')
            OR (s.to_state = 'available' AND s.from_state IN ('failed', 'cancelled')))
        UNION ALL
        SELECT j.id, j.provider, j.order_key, a.finished_at, false, false, interval '0'
        FROM onboarding.jobs j JOIN onboarding.attempts a ON a.job_id = j.id AND NOT a.late
        WHERE j.order_key IS NOT NULL AND a.next_state IN ('completed', 'failed', 'cancelled')) x;
$$;
