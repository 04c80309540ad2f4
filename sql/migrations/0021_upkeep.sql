-- Upkeep that goes on when a part of it fails, and settings that say who changed them.

-- The steps of `maintain` that fail, since when and why.
CREATE TABLE onboarding.upkeep_failures (
    step text PRIMARY KEY,
    since timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    code text NOT NULL,
    problem text NOT NULL
);
GRANT SELECT ON onboarding.upkeep_failures TO onboarding_operator, onboarding_monitor, onboarding_worker;

-- Where the next look for finished jobs of a kind goes on; no row: at the oldest.
CREATE TABLE onboarding.retention_places (
    kind text PRIMARY KEY REFERENCES onboarding.kinds (kind) ON DELETE CASCADE,
    finished_at timestamptz NOT NULL,
    job_id bigint NOT NULL
);

-- What lies in the partitions for the rest is looked for by its time: to move it and to let it go.
CREATE INDEX attempts_rest_claimed_at_idx ON onboarding.attempts_rest (claimed_at);
CREATE INDEX state_changes_rest_at_idx ON onboarding.state_changes_rest (at);

-- Tables without a key. Where a publication names them, a row that is deleted has to be told apart.
ALTER TABLE onboarding.ended REPLICA IDENTITY FULL;
ALTER TABLE onboarding.unsettled_ends REPLICA IDENTITY FULL;

-- Who acts: the person whom a program names for whom it acts, else the login.
CREATE FUNCTION onboarding.actor() RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(nullif(current_setting('onboarding.actor', true), ''), session_user);
$$;

-- What was changed in the settings, by a statement of somebody's or by a function, and by whom.
CREATE TABLE onboarding.setting_changes (
    id        bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor     text        NOT NULL DEFAULT onboarding.actor(),
    -- The table, and the key of its row where it has several.
    relation  text        NOT NULL,
    object    text,
    -- The columns that were changed, before and after.
    old_values jsonb      NOT NULL,
    new_values jsonb      NOT NULL
);
CREATE INDEX setting_changes_at_idx ON onboarding.setting_changes (at);

-- Notes what a statement has changed in a row of settings. Called by the triggers below alone.
-- TG_ARGV: the key's column or nothing, then the columns that are settings; no columns: all.
CREATE FUNCTION onboarding.note_setting_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET intervalstyle = 'postgres' AS $$
DECLARE
    before jsonb;
    after jsonb;
BEGIN
    SELECT jsonb_object_agg(o.key, o.value), jsonb_object_agg(o.key, n.value) INTO before, after
    FROM jsonb_each(to_jsonb(OLD)) o
    JOIN jsonb_each(to_jsonb(NEW)) n ON n.key = o.key
    WHERE o.value IS DISTINCT FROM n.value AND (TG_NARGS <= 1 OR o.key = ANY (TG_ARGV[1:]));
    IF before IS NOT NULL THEN
        INSERT INTO onboarding.setting_changes (relation, object, old_values, new_values)
        VALUES (TG_TABLE_NAME, to_jsonb(NEW) ->> TG_ARGV[0], before, after);
    END IF;
    RETURN NULL;
END;
$$;

-- Workers change their own columns of these rows all the time: the conditions cost those no call.
CREATE TRIGGER providers_note_change AFTER UPDATE ON onboarding.providers
FOR EACH ROW WHEN (
    (OLD.max_in_flight, OLD.rate_per_second, OLD.burst, OLD.effect_horizon, OLD.paused_until, OLD.pause_reason)
    IS DISTINCT FROM
    (NEW.max_in_flight, NEW.rate_per_second, NEW.burst, NEW.effect_horizon, NEW.paused_until, NEW.pause_reason))
EXECUTE FUNCTION onboarding.note_setting_change(
    'provider', 'max_in_flight', 'rate_per_second', 'burst', 'effect_horizon', 'paused_until', 'pause_reason');
CREATE TRIGGER kinds_note_change AFTER UPDATE ON onboarding.kinds
FOR EACH ROW WHEN (OLD IS DISTINCT FROM NEW) EXECUTE FUNCTION onboarding.note_setting_change('kind');
CREATE TRIGGER maintenance_note_change AFTER UPDATE ON onboarding.maintenance
FOR EACH ROW WHEN (OLD.keep_history IS DISTINCT FROM NEW.keep_history)
EXECUTE FUNCTION onboarding.note_setting_change('none', 'keep_history');

-- Wakes the workers that wait for a limit or a pause when somebody changes it.
CREATE FUNCTION onboarding.wake_for_setting() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT onboarding.is_preparing() THEN PERFORM pg_notify('onboarding_jobs', NEW.provider); END IF;
    RETURN NULL;
END;
$$;
CREATE TRIGGER providers_wake AFTER UPDATE ON onboarding.providers
FOR EACH ROW WHEN (
    (OLD.max_in_flight, OLD.rate_per_second, OLD.burst, OLD.paused_until)
    IS DISTINCT FROM (NEW.max_in_flight, NEW.rate_per_second, NEW.burst, NEW.paused_until))
EXECUTE FUNCTION onboarding.wake_for_setting();

-- Functions write the login; where a program has named the person for whom it acts, it is that one.
CREATE FUNCTION onboarding.name_actor() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.actor = session_user THEN NEW.actor := onboarding.actor(); END IF;
    RETURN NEW;
END;
$$;
CREATE TRIGGER provider_events_name_actor BEFORE INSERT ON onboarding.provider_events
FOR EACH ROW WHEN (current_setting('onboarding.actor', true) <> '') EXECUTE FUNCTION onboarding.name_actor();
CREATE TRIGGER state_changes_name_actor BEFORE INSERT ON onboarding.state_changes
FOR EACH ROW WHEN (current_setting('onboarding.actor', true) <> '') EXECUTE FUNCTION onboarding.name_actor();

-- Who did what, when and why: settings, and what was done to providers and jobs but for the attempts of workers.
CREATE VIEW onboarding.audit AS
SELECT c.at, c.actor, 'changed' AS action, c.relation || coalesce(' ' || c.object, '') AS object, NULL::text AS reason,
    c.old_values, c.new_values
FROM onboarding.setting_changes c
UNION ALL
SELECT e.at, e.actor, e.event, 'providers ' || e.provider, e.reason, NULL, NULL
FROM onboarding.provider_events e
UNION ALL
SELECT s.at, s.actor, s.from_state || ' to ' || s.to_state, 'jobs ' || s.job_id, s.reason, NULL, NULL
FROM onboarding.state_changes s;
GRANT SELECT ON onboarding.setting_changes, onboarding.audit TO onboarding_operator, onboarding_monitor;

-- The jobs that were cancelled because this one ended without success, and those that were because of them.
CREATE FUNCTION onboarding.cancelled_with(job_id bigint) RETURNS SETOF bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE tree (id) AS (
        SELECT d.id FROM onboarding.jobs d
        WHERE d.after_job_id = cancelled_with.job_id AND d.state = 'cancelled'
          AND d.last_error LIKE 'job ' || d.after_job_id || ', which this one waits for, ended %'
        UNION
        SELECT d.id FROM tree t
        JOIN onboarding.jobs d ON d.after_job_id = t.id AND d.state = 'cancelled'
          AND d.last_error LIKE 'job ' || d.after_job_id || ', which this one waits for, ended %'
    )
    SELECT t.id FROM tree t;
$$;

-- Lets cancelled jobs wait again for the jobs that they wait for. Called by `retry`, which holds the first of those.
CREATE FUNCTION onboarding.block_again(job_ids bigint[], reason text) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    WITH blocked AS (
        UPDATE onboarding.jobs j
        SET state = 'blocked', attempt = 0, backoff_step = 0, cancel_requested_at = NULL, finished_at = NULL,
            last_error = NULL, run_at = greatest(j.run_at, now()), updated_at = now(),
            expires_at = CASE WHEN j.expires_at <= now() THEN NULL ELSE j.expires_at END,
            is_behind = j.order_key IS NOT NULL AND EXISTS (
                SELECT 1 FROM onboarding.jobs o
                WHERE o.provider = j.provider AND o.order_key = j.order_key AND o.id < j.id
                  AND (o.state IN ('blocked', 'available', 'running', 'waiting', 'uncertain') OR o.id = ANY (job_ids)))
        WHERE j.id = ANY (job_ids) AND j.state = 'cancelled'
        RETURNING j.id, j.after_job_id
    )
    INSERT INTO onboarding.state_changes (job_id, from_state, to_state, actor, reason)
    SELECT b.id, 'cancelled', 'blocked', session_user,
        format('retry of job %s', b.after_job_id) || coalesce(': ' || block_again.reason, '')
    FROM blocked b;
$$;

-- A job that was cancelled with the one it waits for waits again when that one is retried.
DROP TRIGGER jobs_legal_transition ON onboarding.jobs;
CREATE TRIGGER jobs_legal_transition AFTER UPDATE OF state ON onboarding.jobs
FOR EACH ROW WHEN (
    OLD.state <> NEW.state AND NOT CASE OLD.state
        WHEN 'available' THEN NEW.state IN ('running', 'cancelled', 'failed')
        WHEN 'running' THEN NEW.state IN ('completed', 'available', 'waiting', 'uncertain', 'failed', 'cancelled')
        WHEN 'blocked' THEN NEW.state IN ('available', 'cancelled')
        WHEN 'waiting' THEN NEW.state IN ('running', 'completed', 'failed', 'cancelled')
        WHEN 'uncertain' THEN NEW.state IN ('completed', 'available', 'cancelled')
        WHEN 'failed' THEN NEW.state = 'available'
        WHEN 'cancelled' THEN NEW.state IN ('available', 'blocked')
        ELSE false
    END)
EXECUTE FUNCTION onboarding.refuse_illegal_transition();

-- Makes a failed or cancelled job available again and returns the key that it will use: the old one, unless the provider
-- refused the request for good or the payload is replaced. The jobs that were cancelled with it wait for it again if asked
-- for; else their number is told.
DROP FUNCTION onboarding.retry(bigint, text, jsonb);
CREATE FUNCTION onboarding.retry(
    job_id bigint, reason text DEFAULT NULL, payload jsonb DEFAULT NULL, with_dependents boolean DEFAULT false) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    job onboarding.jobs := onboarding.lock_job(job_id);
    kind onboarding.kinds;
    after_state text;
    new_payload jsonb := coalesce(retry.payload, job.payload);
    -- As text, since that is what is sent: numbers that are equal may be written differently.
    is_new boolean := new_payload::text <> job.payload::text;
    may_exist boolean := onboarding.may_exist(job);
    is_rekeyed boolean := NOT may_exist AND (is_new OR job.last_outcome IN ('rejected', 'invalid_payload'));
    dependents bigint[] := ARRAY(SELECT d.id FROM onboarding.cancelled_with(job_id) AS d (id));
    note text := '';
    new_key uuid := CASE WHEN is_rekeyed THEN gen_random_uuid() ELSE job.idempotency_key END;
BEGIN
    IF job.state NOT IN ('failed', 'cancelled') THEN
        RAISE EXCEPTION 'onboarding: job % is %; only a failed or cancelled job can be retried', job.id, job.state
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    SELECT * INTO kind FROM onboarding.kinds k WHERE k.kind = job.kind;
    IF job.after_job_id IS NOT NULL THEN
        SELECT a.state INTO after_state FROM onboarding.jobs a WHERE a.id = job.after_job_id;
        IF after_state <> 'completed' THEN
            RAISE EXCEPTION 'onboarding: job % waits for job %, which is %; retry that one first', job.id, job.after_job_id, after_state
                USING ERRCODE = 'object_not_in_prerequisite_state';
        END IF;
    END IF;
    IF retry.payload IS NOT NULL THEN
        IF jsonb_typeof(retry.payload) <> 'object' THEN PERFORM onboarding.refuse('payload', 'must be a JSON object'); END IF;
        IF octet_length(retry.payload::text) > 134217728 THEN PERFORM onboarding.refuse('payload', 'is larger than 128 MiB'); END IF;
        PERFORM onboarding.check_payload(job.kind, retry.payload);
    END IF;
    IF may_exist AND kind.lost_answer = 'none' THEN
        RAISE EXCEPTION 'onboarding: job % may have been sent and its provider cannot tell; it cannot be retried', job.id
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    IF may_exist AND is_new THEN
        RAISE EXCEPTION 'onboarding: job % may exist at the provider as it was sent; retry it without a payload and cancel it: that looks it up', job.id
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    UPDATE onboarding.jobs j
    SET state = 'available', attempt = 0, backoff_step = 0, cancel_requested_at = NULL, finished_at = NULL,
        -- What its caller scheduled for later stays so; the wait of a backoff does not.
        run_at = greatest(now(), CASE WHEN j.backoff_step = 0 THEN j.run_at END,
            onboarding.not_after(j.denied_at, now()) + onboarding.effect_horizon(j.provider)),
        expires_at = CASE WHEN j.expires_at <= now() THEN NULL ELSE j.expires_at END,
        idempotency_key = new_key, payload = new_payload, payload_bytes = octet_length(new_payload::text),
        body_sha256 = CASE WHEN is_new THEN NULL ELSE j.body_sha256 END,
        step = CASE WHEN may_exist THEN 'look_up' ELSE 'create' END,
        first_sent_at = CASE WHEN NOT is_rekeyed THEN j.first_sent_at END,
        last_sent_at = CASE WHEN may_exist THEN clock_timestamp() END,
        request_sha256 = CASE WHEN NOT is_rekeyed THEN j.request_sha256 END,
        mute_look_ups = 0, mute_since = NULL, last_http_status = NULL, last_create_status = NULL, updated_at = now(),
        is_behind = j.order_key IS NOT NULL AND EXISTS (
            SELECT 1 FROM onboarding.jobs o
            WHERE o.provider = j.provider AND o.order_key = j.order_key AND o.id < j.id
              AND o.state IN ('blocked', 'available', 'running', 'waiting', 'uncertain'))
    WHERE j.id = job.id;
    IF with_dependents THEN
        PERFORM onboarding.block_again(dependents, reason);
    ELSIF dependents <> '{}' THEN
        note := format('; %s jobs that were cancelled with it stay cancelled', cardinality(dependents));
        RAISE NOTICE 'onboarding: % jobs that were cancelled with job % stay cancelled; with_dependents => true takes them along',
            cardinality(dependents), job.id;
    END IF;
    PERFORM onboarding.advance_order_keys(job.id || dependents);
    INSERT INTO onboarding.state_changes (job_id, from_state, to_state, actor, reason, old_key, new_key)
    VALUES (job.id, job.state, 'available', session_user, 'retry' || coalesce(': ' || reason, '') || note, job.idempotency_key, new_key);
    PERFORM pg_notify('onboarding_jobs', '');
    RETURN new_key;
END;
$$;
REVOKE ALL ON FUNCTION onboarding.retry, onboarding.actor, onboarding.note_setting_change, onboarding.wake_for_setting,
    onboarding.name_actor, onboarding.cancelled_with, onboarding.block_again FROM PUBLIC;
GRANT EXECUTE ON FUNCTION onboarding.retry TO onboarding_operator;
GRANT EXECUTE ON FUNCTION onboarding.cancelled_with TO onboarding_operator;

-- What holds the oldest snapshot: nothing newer can be vacuumed, and every queue table grows. A function, since
-- pg_stat_activity shows the sessions of others to its caller, not to a view's owner. Sessions that the owner may not see are
-- counted: one of them may hold an older snapshot than all that are listed.
CREATE OR REPLACE FUNCTION onboarding.snapshot_holders()
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
UNION ALL
SELECT 'sessions that cannot be seen', count(*)::text, string_agg(DISTINCT a.usename, ', ' ORDER BY a.usename),
    format('GRANT pg_read_all_stats TO %I;', current_user), NULL, NULL
FROM pg_catalog.pg_stat_activity a WHERE a.query = '<insufficient privilege>' AND a.usesysid IS NOT NULL
HAVING count(*) > 0
ORDER BY age DESC NULLS LAST;
$$;

-- Rights are given by grants alone. Where an event trigger switches row security on for new tables, without a policy, nobody
-- but the owner would see or insert a row.
DO $$
DECLARE
    shut regclass;
BEGIN
    FOR shut IN
        SELECT c.oid FROM pg_catalog.pg_class c
        WHERE c.relnamespace = 'onboarding'::regnamespace AND c.relrowsecurity
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_policy o WHERE o.polrelid = c.oid)
    LOOP
        EXECUTE format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY', shut);
    END LOOP;
END;
$$;

INSERT INTO onboarding.migrations (version, name) VALUES (21, 'upkeep');
