CREATE SCHEMA onboarding;

CREATE FUNCTION onboarding.add_partition(parent text, month timestamp with time zone) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET "TimeZone" TO 'UTC'
    SET "DateStyle" TO 'ISO'
    AS $_$
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
$_$;

CREATE FUNCTION onboarding.advance_order_key(provider_name text, key text) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    AS $$
DECLARE
    head record;
BEGIN
    SELECT o.id, o.is_behind INTO head FROM onboarding.jobs o
    WHERE o.provider = provider_name AND o.order_key = key
      AND o.state IN ('blocked', 'available', 'running', 'waiting', 'uncertain')
    ORDER BY o.id LIMIT 1;
    -- Without a lock: whoever calls may take long to commit, and the job may be running.
    IF head.is_behind IS NOT TRUE THEN RETURN false; END IF;
    PERFORM 1 FROM onboarding.jobs j WHERE j.id = head.id FOR NO KEY UPDATE SKIP LOCKED;
    IF NOT FOUND THEN RETURN NULL; END IF;
    UPDATE onboarding.jobs j SET is_behind = false WHERE j.id = head.id AND j.is_behind;
    RETURN FOUND;
END;
$$;

CREATE FUNCTION onboarding.advance_order_keys(job_ids bigint[]) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    AS $$
DECLARE
    place record;
    released boolean := false;
    was_behind boolean;
BEGIN
    FOR place IN
        SELECT j.provider, j.order_key, min(j.id) AS job_id FROM onboarding.jobs j
        WHERE j.id = ANY (job_ids) AND j.order_key IS NOT NULL
        GROUP BY j.provider, j.order_key
    LOOP
        was_behind := onboarding.advance_order_key(place.provider, place.order_key);
        -- Somebody holds the head, or a snapshot may not show that the one before it has ended: it is looked at again.
        IF was_behind IS NULL OR current_setting('transaction_isolation') <> 'read committed' THEN
            INSERT INTO onboarding.unsettled_ends (job_id) VALUES (place.job_id);
        END IF;
        released := released OR was_behind IS TRUE;
    END LOOP;
    IF released THEN PERFORM onboarding.wake_all(); END IF;
END;
$$;

CREATE TABLE onboarding.providers (
    provider text NOT NULL,
    max_in_flight integer,
    rate_per_second double precision,
    burst integer,
    paused_until timestamp with time zone,
    pause_reason text,
    held_until timestamp with time zone,
    circuit text DEFAULT 'closed'::text NOT NULL,
    circuit_reason text,
    circuit_opened_at timestamp with time zone,
    circuit_probe_at timestamp with time zone,
    circuit_failures integer DEFAULT 0 NOT NULL,
    rate_due_at timestamp with time zone,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    effect_horizon interval DEFAULT '00:02:00'::interval NOT NULL,
    throttle_streak integer DEFAULT 0 NOT NULL,
    throttled_at timestamp with time zone,
    adaptive_rate double precision,
    rate_doubling double precision DEFAULT 4 NOT NULL,
    measured_since timestamp with time zone,
    call_window double precision,
    doubt double precision DEFAULT 0 NOT NULL,
    tried_at timestamp with time zone,
    CONSTRAINT providers_burst_positive CHECK (((burst >= 1) AND (burst <= 1000000))),
    CONSTRAINT providers_circuit_known CHECK ((circuit = ANY (ARRAY['closed'::text, 'open'::text, 'half_open'::text]))),
    CONSTRAINT providers_effect_horizon_a_day CHECK (((effect_horizon >= '00:00:00'::interval) AND (effect_horizon <= '1 day'::interval))),
    CONSTRAINT providers_max_in_flight_not_negative CHECK ((max_in_flight >= 0)),
    CONSTRAINT providers_rate_per_second_positive CHECK (((rate_per_second >= (0.00001)::double precision) AND (rate_per_second <= (1000000)::double precision)))
);

CREATE FUNCTION onboarding.allowance(p onboarding.providers, wanted integer, t timestamp with time zone, OUT allowed integer, OUT hint text, OUT wait_ms integer, OUT probing boolean) RETURNS record
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    AS $$
DECLARE
    pace record;
    cell interval;
    free_at timestamptz;
    in_flight integer;
BEGIN
    allowed := 0; probing := false; wait_ms := 1000;
    IF p.paused_until > t THEN
        hint := 'paused'; wait_ms := onboarding.milliseconds_until(p.paused_until, t); RETURN;
    END IF;
    IF p.held_until > t AND onboarding.hold_end(p, t) IS NOT NULL THEN
        hint := 'held'; wait_ms := onboarding.milliseconds_until(p.held_until, t); RETURN;
    END IF;
    allowed := wanted;
    IF p.circuit <> 'closed' THEN
        IF p.circuit_probe_at > t AND p.circuit_probe_at <= t + interval '5 min' THEN
            allowed := 0; hint := 'circuit'; wait_ms := onboarding.milliseconds_until(p.circuit_probe_at, t); RETURN;
        END IF;
        probing := true; allowed := least(allowed, 1);
    END IF;
    in_flight := CASE WHEN probing OR p.call_window IS NULL THEN p.max_in_flight
        ELSE least(p.max_in_flight, floor(onboarding.trial_window(p, t))) END;
    IF in_flight IS NOT NULL THEN
        -- Counted from the rows themselves: a counter would leak when a worker dies.
        allowed := least(allowed, in_flight - (
            SELECT count(*) FROM onboarding.jobs j
            WHERE j.provider = p.provider AND j.state = 'running'
              AND j.claimed_at >= (SELECT m.running_since FROM onboarding.maintenance m)));
        IF allowed <= 0 THEN allowed := 0; hint := 'in_flight'; wait_ms := NULL; RETURN; END IF;
    END IF;
    IF p.rate_per_second IS NULL AND p.adaptive_rate IS NULL THEN RETURN; END IF;
    SELECT * INTO pace FROM onboarding.pace(p, t);
    IF pace.rate IS NOT NULL THEN
        cell := onboarding.rate_cell(pace.rate, pace.burst);
        free_at := greatest(onboarding.booked_until(p, t), t);
        allowed := least(allowed, 1 + floor(extract(epoch FROM t - free_at + cell * (pace.burst - 1))
            / extract(epoch FROM cell))::integer);
        IF allowed <= 0 THEN
            allowed := 0; hint := 'rate';
            wait_ms := onboarding.milliseconds_until(free_at - cell * (pace.burst - 1), t);
        END IF;
    END IF;
END;
$$;

CREATE FUNCTION onboarding.announce(job_ids bigint[], states text[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    -- Not by `notify_event`, whose call for each would cost six times as much.
    PERFORM pg_notify('onboarding_events', format('{"job_id": %s, "state": "%s"}', e.job_id, e.state))
    FROM unnest(job_ids, states) AS e (job_id, state);
END;
$$;

CREATE FUNCTION onboarding.booked_until(p onboarding.providers, t timestamp with time zone) RETURNS timestamp with time zone
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT CASE WHEN p.rate_due_at <= t + onboarding.rate_cell(r.rate, r.burst) * (2 * r.burst) + interval '1 s' THEN p.rate_due_at END
    FROM onboarding.pace(p, t) AS r;
$$;

CREATE FUNCTION onboarding.cancel(job_id bigint, reason text DEFAULT NULL::text) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    job onboarding.jobs := onboarding.lock_job(job_id);
    why text := left(cancel.reason, 500);
    new_state text;
BEGIN
    IF job.state IN ('completed', 'failed', 'cancelled') THEN
        RAISE EXCEPTION 'onboarding: job % is % already', job.id, job.state USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    IF job.state = 'uncertain' THEN
        RAISE EXCEPTION 'onboarding: job % is uncertain; say what happened with resolve()', job.id
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    IF job.state = 'running' OR job.last_sent_at IS NOT NULL THEN
        UPDATE onboarding.jobs j
        SET cancel_requested_at = now(), updated_at = now(),
            state = CASE WHEN j.state = 'running' THEN 'running' ELSE 'available' END,
            run_at = CASE WHEN j.state = 'running' THEN j.run_at ELSE least(j.run_at, now()) END
        WHERE j.id = job.id
        RETURNING j.state INTO new_state;
        PERFORM onboarding.log_state_change(job.id, job.state, new_state, 'cancel requested: ' || coalesce(why, ''));
        PERFORM pg_notify('onboarding_jobs', '');
        RETURN new_state;
    END IF;
    UPDATE onboarding.jobs j
    SET state = 'cancelled', cancel_requested_at = now(), finished_at = now(), updated_at = now(),
        last_error = 'cancelled' || coalesce(': ' || why, '')
    WHERE j.id = job.id;
    PERFORM onboarding.log_state_change(job.id, job.state, 'cancelled', why);
    PERFORM onboarding.notify_event(job.id, 'cancelled');
    PERFORM onboarding.settle_dependents(ARRAY[job.id]);
    RETURN 'cancelled';
END;
$$;

CREATE FUNCTION onboarding.check_dependent() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    AS $$
DECLARE
    parent record;
BEGIN
    -- One call settles them all.
    PERFORM FROM onboarding.jobs j WHERE j.id = NEW.id AND coalesce(j.state, '') = 'blocked';
    IF NOT FOUND THEN RETURN NULL; END IF;
    SELECT j.state, j.xmin::text = pg_current_xact_id()::xid::text AS is_own INTO parent FROM onboarding.jobs j WHERE j.id = NEW.after_job_id;
    IF parent.state IN ('completed', 'failed', 'cancelled') THEN
        PERFORM onboarding.settle_dependents(ARRAY[NEW.after_job_id]);
    ELSIF NOT parent.is_own THEN
        PERFORM onboarding.note_unsettled(NEW.after_job_id);
    END IF;
    RETURN NULL;
END;
$$;

CREATE FUNCTION onboarding.check_fields(kind_name text, rules jsonb, body jsonb) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    wrong record;
BEGIN
    SELECT rule.field, given.type, fault.problem INTO wrong
    FROM jsonb_each(rules) AS rule (field, value)
    CROSS JOIN LATERAL (SELECT jsonb_typeof(body -> rule.field), rule.value ? 'required') AS given (type, is_required)
    -- An object is not printed for nothing.
    CROSS JOIN LATERAL (SELECT CASE given.type WHEN 'string' THEN body ->> rule.field END) AS given_text (content)
    CROSS JOIN LATERAL (SELECT CASE
        WHEN given.type IS NULL AND given.is_required THEN 'is required'
        WHEN given.type = 'null' AND NOT given.is_required THEN NULL
        WHEN given.type <> rule.value ->> 'type' THEN
            'must be ' || CASE rule.value ->> 'type' WHEN 'boolean' THEN 'true or false' WHEN 'object' THEN 'an object'
                WHEN 'array' THEN 'an array' ELSE 'a ' || (rule.value ->> 'type') END
        WHEN length(content) < (rule.value ->> 'minLength')::integer THEN
            format('must have at least %s characters', rule.value ->> 'minLength')
        WHEN length(content) > (rule.value ->> 'maxLength')::integer THEN
            format('may have at most %s characters', rule.value ->> 'maxLength')
        WHEN content !~ (rule.value ->> 'pattern') THEN rule.value ->> 'meaning'
        WHEN NOT rule.value -> 'enum' ? content THEN CASE WHEN jsonb_array_length(rule.value -> 'enum') <= 12
            THEN 'must be one of ' || (SELECT string_agg(e, ', ') FROM jsonb_array_elements_text(rule.value -> 'enum') e)
            ELSE format('must be one of %s values', jsonb_array_length(rule.value -> 'enum')) END
        END) AS fault (problem)
    WHERE fault.problem IS NOT NULL
    LIMIT 1;
    IF wrong.problem = 'is required' THEN
        PERFORM onboarding.refuse('payload', format('lacks the field %s, which %s requires', wrong.field, kind_name));
    ELSIF FOUND THEN
        PERFORM onboarding.refuse('payload', format('is wrong in %s: %s', wrong.field, wrong.problem));
    END IF;
END;
$$;

CREATE FUNCTION onboarding.check_new_job() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
DECLARE
    known onboarding.kinds;
    lacks_parent boolean;
    after_state text;
    after_kind text;
    entry record;
BEGIN
    IF NEW.payload_bytes > 0 THEN RETURN NEW; END IF;
    SELECT * INTO known FROM onboarding.kinds k WHERE k.kind = NEW.kind;
    IF NOT FOUND THEN
        PERFORM onboarding.refuse('kind', format('%L is not known; known are %s', NEW.kind,
            (SELECT string_agg(k.kind, ', ' ORDER BY k.kind) FROM onboarding.kinds k)));
    END IF;
    IF NEW.payload IS NULL OR jsonb_typeof(NEW.payload) <> 'object' THEN
        PERFORM onboarding.refuse('payload', 'must be a JSON object');
    END IF;
    PERFORM onboarding.check_payload(NEW.kind, NEW.payload);
    IF NEW.parameters IS NULL OR jsonb_typeof(NEW.parameters) <> 'object' THEN
        PERFORM onboarding.refuse('parameters', 'must be a JSON object');
    END IF;
    IF NEW.parameters <> '{}' THEN
        FOR entry IN SELECT p.key, p.value FROM jsonb_each(NEW.parameters) p LOOP
            IF NOT EXISTS (SELECT FROM onboarding.kinds k WHERE entry.key = ANY (k.parameters)) THEN
                PERFORM onboarding.refuse('parameters', format('has the unknown field %L; known are %s', left(entry.key, 40),
                    (SELECT string_agg(DISTINCT p, ', ' ORDER BY p) FROM onboarding.kinds k, unnest(k.parameters) p)));
            END IF;
            IF jsonb_typeof(entry.value) <> 'string' OR (entry.value #>> '{}') !~ '^[A-Za-z0-9_:-][A-Za-z0-9_.:-]{0,99}$' THEN
                PERFORM onboarding.refuse('parameters', format('must hold an id of 1 to 100 letters, digits, _ : - . (no . in front) in %s', entry.key));
            END IF;
        END LOOP;
    END IF;
    lacks_parent := known.parent_kind IS NOT NULL AND NOT NEW.parameters ? known.parent_parameter;
    IF lacks_parent AND NEW.after_job_id IS NULL THEN
        PERFORM onboarding.refuse('parameters', format('lacks %s; give it, or name the %s job in after_job_id',
            known.parent_parameter, split_part(known.parent_kind, '.', 2)));
    END IF;
    IF NEW.idempotency_key IS NULL THEN NEW.idempotency_key := gen_random_uuid(); END IF;
    IF NEW.priority IS NULL OR NEW.priority NOT BETWEEN 0 AND 9 THEN
        PERFORM onboarding.refuse('priority', format('must be between 0 and 9, not %s', coalesce(NEW.priority::text, 'null')));
    END IF;
    IF NEW.run_at IS NULL OR NOT isfinite(NEW.run_at) THEN
        PERFORM onboarding.refuse('run_at', 'must be a moment in time, not null or infinity');
    END IF;
    IF NOT isfinite(NEW.expires_at) THEN
        PERFORM onboarding.refuse('expires_at', 'must be a moment in time or null, not infinity');
    END IF;
    IF NEW.expires_at <= NEW.run_at THEN
        PERFORM onboarding.refuse('expires_at', 'must be later than run_at');
    END IF;
    IF NEW.max_attempts IS NULL OR NEW.max_attempts NOT BETWEEN 1 AND 1000 THEN
        PERFORM onboarding.refuse('max_attempts', format('must be between 1 and 1000, not %s', coalesce(NEW.max_attempts::text, 'null')));
    END IF;
    IF NEW.follow IS NULL OR NEW.follow NOT IN ('created', 'decided') THEN
        PERFORM onboarding.refuse('follow', 'must be ''created'' or ''decided''');
    END IF;
    IF NEW.follow = 'decided' THEN
        PERFORM onboarding.refuse('follow', '''decided'' is not built yet: use ''created''');
    END IF;
    IF NEW.reference = '' OR length(NEW.reference) > 255 THEN PERFORM onboarding.refuse_length('reference', NEW.reference); END IF;
    IF NEW.unique_key = '' OR length(NEW.unique_key) > 255 THEN PERFORM onboarding.refuse_length('unique_key', NEW.unique_key); END IF;
    IF NEW.order_key = '' OR length(NEW.order_key) > 255 THEN PERFORM onboarding.refuse_length('order_key', NEW.order_key); END IF;
    IF NEW.traceparent !~ '^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$' THEN
        PERFORM onboarding.refuse('traceparent', 'must be a W3C trace context: 00-<32 hex>-<16 hex>-<2 hex>, lower case');
    END IF;
    NEW.payload_bytes := octet_length(NEW.payload::text);
    IF NEW.payload_bytes > 134217728 THEN
        PERFORM onboarding.refuse('payload', format('is %s bytes; at most 134217728 are taken', NEW.payload_bytes));
    END IF;
    NEW.state := 'available';
    IF NEW.after_job_id IS NOT NULL THEN
        SELECT j.state, j.kind INTO after_state, after_kind FROM onboarding.jobs j WHERE j.id = NEW.after_job_id;
        IF NOT FOUND THEN
            PERFORM onboarding.refuse('after_job_id', format('%s is not a job', NEW.after_job_id));
        END IF;
        IF lacks_parent AND after_kind <> known.parent_kind THEN
            PERFORM onboarding.refuse('parameters', format('lacks %s, and job %s in after_job_id is no %s that could give it',
                known.parent_parameter, NEW.after_job_id, known.parent_kind));
        END IF;
        IF after_state <> 'completed' THEN NEW.state := 'blocked'; END IF;
    END IF;
    -- What is inserted at the same moment elsewhere is not seen here; the claim looks again.
    NEW.is_behind := NEW.order_key IS NOT NULL AND EXISTS (
        SELECT 1 FROM onboarding.jobs o
        WHERE o.provider = split_part(NEW.kind, '.', 1) AND o.order_key = NEW.order_key
          AND o.state IN ('blocked', 'available', 'running', 'waiting', 'uncertain'));
    RETURN NEW;
END;
$_$;

CREATE FUNCTION onboarding.check_order() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    AS $$
DECLARE
    head record;
BEGIN
    SELECT o.id, o.xmin::text = pg_current_xact_id()::xid::text AS is_own, o.is_behind INTO head FROM onboarding.jobs o
    WHERE o.provider = NEW.provider AND o.order_key = NEW.order_key
      AND o.state IN ('blocked', 'available', 'running', 'waiting', 'uncertain')
    ORDER BY o.id LIMIT 1;
    IF head.is_behind THEN
        PERFORM onboarding.advance_order_keys(ARRAY[head.id]);
    -- Nobody else sees a job of this transaction, so nobody can have ended it.
    ELSIF NOT head.is_own THEN
        PERFORM onboarding.note_unsettled(head.id);
    END IF;
    RETURN NULL;
END;
$$;

CREATE FUNCTION onboarding.check_payload(kind_name text, body jsonb) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    rules jsonb;
    variants record;
BEGIN
    SELECT k.fields INTO rules FROM onboarding.kinds k WHERE k.kind = kind_name;
    PERFORM onboarding.check_fields(kind_name, rules, body);
    FOR variants IN SELECT r.key AS field, r.value -> 'variants' AS rules FROM jsonb_each(rules) r WHERE r.value ? 'variants' LOOP
        PERFORM onboarding.check_fields(kind_name, variants.rules -> (body ->> variants.field), body);
    END LOOP;
END;
$$;

CREATE FUNCTION onboarding.claim(worker_id text, provider_name text, wanted integer, byte_budget bigint, single_budget bigint, lease_ms integer, from_priority smallint[] DEFAULT NULL::smallint[], from_run_at timestamp with time zone[] DEFAULT NULL::timestamp with time zone[], from_id bigint[] DEFAULT NULL::bigint[]) RETURNS TABLE(id bigint, claim_token bigint, kind text, step text, attempt smallint, max_attempts smallint, backoff_step smallint, idempotency_key text, payload text, payload_bytes integer, body_sha256 bytea, parameters text, after_provider_id text, traceparent text, remaining_ms bigint, first_sent_ms bigint, last_sent_ms bigint, horizon_ms bigint, is_cancelled boolean, mute_look_ups smallint, mute_ms bigint, last_create_status integer, request_sha256 bytea, evidence_id text, evidence_status text, claimed_at text, priority smallint, run_at text, hint text, wait_ms integer)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    SET jit TO 'off'
    SET lock_timeout TO '250ms'
    AS $$
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

CREATE FUNCTION onboarding.claim_turn(provider_name text, wanted integer) RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '250ms'
    AS $$
BEGIN
    IF wanted >= 50 AND NOT pg_try_advisory_xact_lock(hashtextextended('onboarding.claim ' || provider_name, 1)) THEN
        PERFORM pg_advisory_xact_lock(hashtextextended('onboarding.claim ' || provider_name, 2));
    END IF;
    RETURN wanted;
EXCEPTION WHEN lock_not_available THEN
    RETURN wanted;
END;
$$;

CREATE FUNCTION onboarding.complete(job_ids bigint[], tokens bigint[], workers text[], claimed_ats text[], attempt_numbers smallint[], did_steps text[], outcomes text[], states text[], next_steps text[], delays_ms bigint[], counted boolean[], reached boolean[], proven boolean[], key_uses text[], mute_counts integer[], http_statuses integer[], request_ids text[], provider_ids text[], provider_statuses text[], errors text[], reasons text[], sent_ages_ms bigint[], holds_ms bigint[], keys text[], digests bytea[], request_digests bytea[]) RETURNS TABLE(job_id bigint, claim_token bigint, written boolean, job_state text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    SET jit TO 'off'
    SET lock_timeout TO '250ms'
    AS $$
#variable_conflict use_column
DECLARE
    ids bigint[];
    fences bigint[];
    became text[];
    taken bigint[] := onboarding.taken_ids(job_ids, outcomes, provider_ids);
    late boolean;
    ordered boolean;
    ended bigint[];
    concerned text[];
BEGIN
    WITH result AS (
        SELECT r.job_id, r.token, r.worker, r.claimed_at, r.attempt, r.did_step, r.outcome, r.next_step, r.delay_ms,
            r.counted, r.reached, r.proven, r.key_use, r.mute_count, r.http_status, r.request_id, r.provider_id,
            r.provider_status, r.error, r.sent_age_ms, r.key, r.digest, r.request_digest,
            CASE WHEN r.job_id = ANY (taken) THEN 'uncertain' ELSE r.state END AS state,
            CASE WHEN r.job_id = ANY (taken) THEN 'the provider answered with the id of a record that another job has'
                ELSE r.reason END AS reason
        FROM unnest(job_ids, tokens, workers, claimed_ats, attempt_numbers, did_steps, outcomes, states, next_steps,
            delays_ms, counted, reached, proven, key_uses, mute_counts, http_statuses, request_ids, provider_ids,
            provider_statuses, errors, reasons, sent_ages_ms, keys, digests, request_digests)
        AS r (job_id, token, worker, claimed_at, attempt, did_step, outcome, state, next_step, delay_ms, counted, reached,
            proven, key_use, mute_count, http_status, request_id, provider_id, provider_status, error, reason,
            sent_age_ms, key, digest, request_digest)
    ), written AS (
        UPDATE onboarding.jobs j
        SET state = onboarding.state_after(r.state, j.cancel_requested_at IS NOT NULL,
                onboarding.is_in_doubt(j.last_sent_at, j.late_doubt, r.reached, r.proven)),
            step = r.next_step,
            attempt = j.attempt - CASE WHEN j.step = 'create' AND NOT r.counted THEN 1 ELSE 0 END,
            -- What is given back as it was claimed keeps its place; a throttle is the provider's matter, not the job's.
            backoff_step = CASE WHEN r.state = 'available' AND r.outcome <> 'throttled'
                    AND (r.outcome <> 'not_sent' OR r.counted OR r.delay_ms > 0)
                THEN least(j.backoff_step + 1, 1000) ELSE j.backoff_step END,
            -- What was cancelled is looked up at once, however long it would have waited to be sent again.
            run_at = CASE WHEN r.state = 'available' AND (r.outcome <> 'not_sent' OR r.counted OR r.delay_ms > 0)
                THEN now() + CASE WHEN j.cancel_requested_at IS NOT NULL AND r.next_step = 'create' THEN 0
                    ELSE r.delay_ms END * interval '1 ms' ELSE j.run_at END,
            -- A key that a fenced-out worker has used since the claim stays, and so does its age.
            first_sent_at = CASE WHEN r.key_use <> 'same'
                    AND NOT onboarding.is_in_doubt(j.last_sent_at, j.late_doubt, r.reached, r.proven) THEN NULL
                WHEN r.reached THEN coalesce(j.first_sent_at, j.claimed_at) ELSE j.first_sent_at END,
            -- A byte of what was not answered can have left until now.
            last_sent_at = CASE WHEN NOT onboarding.is_in_doubt(j.last_sent_at, j.late_doubt, r.reached, r.proven) THEN NULL
                WHEN r.reached THEN now() ELSE j.last_sent_at END,
            request_sha256 = CASE WHEN r.key_use <> 'same' THEN NULL
                WHEN r.reached THEN coalesce(j.request_sha256, r.request_digest) ELSE j.request_sha256 END,
            mute_look_ups = coalesce(r.mute_count, j.mute_look_ups),
            mute_since = CASE WHEN coalesce(r.mute_count, j.mute_look_ups) = 0 THEN NULL ELSE coalesce(j.mute_since, now()) END,
            provider_id = CASE WHEN r.state = 'uncertain' THEN j.provider_id ELSE coalesce(r.provider_id, j.provider_id) END,
            provider_status = coalesce(r.provider_status, j.provider_status),
            last_outcome = r.outcome, last_http_status = r.http_status,
            last_create_status = CASE WHEN r.key_use <> 'same' THEN NULL
                WHEN r.did_step = 'create' AND r.outcome NOT IN ('not_sent', 'invalid_payload') THEN r.http_status
                ELSE j.last_create_status END,
            last_error = CASE WHEN r.state = 'completed' THEN NULL
                WHEN r.state <> 'cancelled' AND onboarding.state_after(r.state, j.cancel_requested_at IS NOT NULL,
                    onboarding.is_in_doubt(j.last_sent_at, j.late_doubt, r.reached, r.proven)) = 'cancelled'
                    THEN 'cancelled as asked; the last attempt ended ' || r.outcome
                ELSE coalesce(r.error || ': ', '') || r.reason END,
            lease_expires_at = NULL, updated_at = now(),
            finished_at = CASE WHEN onboarding.state_after(r.state, j.cancel_requested_at IS NOT NULL,
                onboarding.is_in_doubt(j.last_sent_at, j.late_doubt, r.reached, r.proven))
                IN ('completed', 'failed', 'cancelled') THEN now() END
        FROM result r
        WHERE j.id = ANY (ARRAY[r.job_id]) AND j.claim_token = r.token AND coalesce(j.state, '') = 'running'
        RETURNING j.id, j.claim_token AS token, j.provider, j.state, j.run_at, j.step, j.order_key, r.worker, r.claimed_at,
            r.sent_age_ms, r.key, r.http_status, r.attempt, r.did_step, r.outcome, r.provider_id, r.provider_status,
            r.request_id, r.error, r.digest, CASE WHEN j.state = 'cancelled' THEN j.last_error ELSE r.reason END AS reason
    ), journal AS (
        INSERT INTO onboarding.attempts (job_id, claim_token, claimed_at, sent_at, next_run_at, idempotency_key,
            http_status, attempt, step, worker, outcome, next_state, next_step, provider_id, provider_status,
            request_id, error, reason, body_sha256)
        SELECT w.id, w.token, w.claimed_at::timestamptz, now() - w.sent_age_ms * interval '1 ms',
            CASE WHEN w.state = 'available' THEN w.run_at END, w.key::uuid, w.http_status, w.attempt, w.did_step,
            w.worker, w.outcome, w.state, CASE WHEN w.state = 'available' THEN w.step END, w.provider_id,
            w.provider_status, w.request_id, w.error, w.reason, w.digest
        FROM written w
    ), counted AS (
        INSERT INTO onboarding.ended (provider, completed, failed)
        SELECT w.provider, count(*) FILTER (WHERE w.state = 'completed'), count(*) FILTER (WHERE w.state = 'failed')
        FROM written w WHERE w.state IN ('completed', 'failed') GROUP BY w.provider
    )
    SELECT array_agg(w.id), array_agg(w.token), array_agg(w.state), bool_or(w.order_key IS NOT NULL), array_agg(DISTINCT w.provider)
    INTO ids, fences, became, ordered, concerned
    FROM written w;
    late := cardinality(job_ids) > coalesce(cardinality(ids), 0);
    RETURN QUERY SELECT w.id, w.token, true, w.state FROM unnest(ids, fences, became) AS w (id, token, state);
    IF late THEN
        RETURN QUERY SELECT * FROM onboarding.keep_late(job_ids, tokens, workers, claimed_ats, attempt_numbers,
            did_steps, outcomes, reached, http_statuses, request_ids, provider_ids, provider_statuses, errors,
            sent_ages_ms, keys, digests, coalesce(fences, '{}'));
    END IF;

    IF 'new' = ANY (key_uses) THEN PERFORM onboarding.rotate_keys(job_ids, tokens, key_uses); END IF;
    IF late OR 'uncertain' = ANY (became) THEN PERFORM onboarding.settle_late_successes(job_ids); END IF;
    IF 'adopted' = ANY (outcomes) THEN PERFORM onboarding.note_shared_ids(ids); END IF;
    SELECT array_agg(s.id) INTO ended FROM (
        SELECT d.after_job_id AS id FROM onboarding.jobs d
        WHERE d.after_job_id = ANY (job_ids) AND coalesce(d.state, '') = 'blocked'
        UNION
        SELECT j.id FROM onboarding.jobs j
        WHERE ordered AND j.id = ANY (job_ids) AND j.order_key IS NOT NULL AND j.state IN ('completed', 'failed', 'cancelled')) s;
    IF ended IS NOT NULL THEN PERFORM onboarding.settle_dependents(ended); END IF;
    PERFORM onboarding.note_provider_health(job_ids, tokens, outcomes, http_statuses, holds_ms, concerned);
END;
$$;

CREATE FUNCTION onboarding.count_backlog(at_most bigint) RETURNS TABLE(provider text, due bigint, scheduled bigint, running bigint, waiting bigint, uncertain bigint, blocked bigint)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET jit TO 'off'
    SET enable_seqscan TO 'off'
    AS $$
    -- Their index does not know the provider: one walk for all.
    WITH undecided AS (
        SELECT s.provider, s.state, count(*) AS jobs
        FROM ((SELECT j.provider, j.state FROM onboarding.jobs j WHERE j.state = 'waiting' LIMIT at_most)
            UNION ALL
            (SELECT j.provider, j.state FROM onboarding.jobs j WHERE j.state = 'uncertain' LIMIT at_most)) AS s
        GROUP BY 1, 2
    )
    SELECT p.provider,
        CASE WHEN first.jobs + behind.walked >= at_most THEN NULL ELSE first.due + behind.due END,
        CASE WHEN first.jobs + behind.walked >= at_most THEN NULL ELSE first.jobs - first.due + behind.jobs - behind.due END,
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
        SELECT count(*) AS walked, count(*) FILTER (WHERE s.state = 'available') AS jobs,
            count(*) FILTER (WHERE s.state = 'available' AND s.run_at <= now()) AS due
        FROM (SELECT j.state, j.run_at FROM onboarding.jobs j
            WHERE j.provider = p.provider AND j.is_behind
              AND j.state IN ('blocked', 'available', 'running', 'waiting', 'uncertain')
            LIMIT at_most) AS s) AS behind;
$$;

CREATE FUNCTION onboarding.count_end() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    INSERT INTO onboarding.ended (provider, completed, failed)
    SELECT j.provider, (NEW.to_state = 'completed')::integer, (NEW.to_state = 'failed')::integer
    FROM onboarding.jobs j WHERE j.id = NEW.job_id;
    RETURN NULL;
END;
$$;

CREATE FUNCTION onboarding.count_ended() RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET jit TO 'off'
    AS $$
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

CREATE FUNCTION onboarding.count_whole_backlog() RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET jit TO 'off'
    AS $$
BEGIN
    -- One at a time; whoever comes second leaves it to the first.
    PERFORM FROM onboarding.maintenance FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN RETURN; END IF;
    WITH looked AS MATERIALIZED (
        SELECT * FROM onboarding.count_backlog(onboarding.counted_at_once())
    ), unknown AS (
        SELECT FROM looked s
        LEFT JOIN onboarding.backlog b ON b.provider = s.provider
            AND b.counted_at BETWEEN statement_timestamp() - interval '50 s' AND statement_timestamp()
        WHERE num_nulls(coalesce(s.due, b.due), coalesce(s.waiting, b.waiting), coalesce(s.uncertain, b.uncertain),
            coalesce(s.blocked, b.blocked)) > 0
    )
    INSERT INTO onboarding.backlog AS b (provider, due, scheduled, waiting, uncertain, blocked, counted_at)
    SELECT c.provider, CASE WHEN s.due IS NULL THEN c.due END, CASE WHEN s.due IS NULL THEN c.scheduled END,
        CASE WHEN s.waiting IS NULL THEN c.waiting END, CASE WHEN s.uncertain IS NULL THEN c.uncertain END,
        CASE WHEN s.blocked IS NULL THEN c.blocked END, statement_timestamp()
    FROM looked s JOIN onboarding.count_backlog(NULL) c USING (provider)
    WHERE EXISTS (SELECT FROM unknown)
    ON CONFLICT (provider) DO UPDATE SET due = excluded.due, scheduled = excluded.scheduled, waiting = excluded.waiting,
        uncertain = excluded.uncertain, blocked = excluded.blocked, counted_at = excluded.counted_at;
END;
$$;

CREATE FUNCTION onboarding.counted_at_once() RETURNS bigint
    LANGUAGE sql IMMUTABLE
    AS $$SELECT 100000$$;

CREATE FUNCTION onboarding.delete_finished(max_jobs integer, OUT deleted integer, OUT failures jsonb[]) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET jit TO 'off'
    AS $$
DECLARE
    place record;
    ids bigint[];
    job bigint;
    problem jsonb;
    kept integer;
    deadline timestamptz := clock_timestamp() + interval '2 s';
BEGIN
    deleted := 0; failures := '{}';
    FOR place IN
        SELECT k.kind, k.provider, k.keep_finished, r.finished_at, r.job_id
        FROM onboarding.kinds k LEFT JOIN onboarding.retention_places r ON r.kind = k.kind
        WHERE k.keep_finished IS NOT NULL
    LOOP
        CONTINUE WHEN deleted >= max_jobs;
        ids := ARRAY(
            SELECT j.id FROM onboarding.jobs j
            WHERE j.finished_at < now() - place.keep_finished AND j.provider = place.provider AND j.kind = place.kind
              AND (j.finished_at, j.id) > (coalesce(place.finished_at, '-infinity'), coalesce(place.job_id, 0))
              -- One that others came after stays until they are gone.
              AND NOT EXISTS (SELECT 1 FROM onboarding.jobs d WHERE d.after_job_id = j.id)
            ORDER BY j.finished_at, j.id LIMIT max_jobs - deleted
            FOR UPDATE SKIP LOCKED);
        DELETE FROM onboarding.retention_places r WHERE r.kind = place.kind;
        IF cardinality(ids) = max_jobs - deleted THEN
            INSERT INTO onboarding.retention_places (kind, finished_at, job_id)
            SELECT place.kind, j.finished_at, j.id FROM onboarding.jobs j WHERE j.id = ids[cardinality(ids)];
        END IF;
        BEGIN
            deleted := deleted + onboarding.delete_jobs(ids);
        EXCEPTION WHEN OTHERS THEN
            kept := 0;
            FOREACH job IN ARRAY ids LOOP
                EXIT WHEN clock_timestamp() > deadline;
                BEGIN
                    deleted := deleted + onboarding.delete_jobs(ARRAY[job]);
                EXCEPTION WHEN OTHERS THEN
                    kept := kept + 1;
                    problem := onboarding.upkeep_failure(format('delete finished jobs of %s', place.kind), SQLSTATE,
                        format('%s jobs were kept; job %s: %s', kept, job, SQLERRM));
                END;
            END LOOP;
            IF kept > 0 THEN failures := failures || problem; END IF;
        END;
    END LOOP;
END;
$$;

CREATE FUNCTION onboarding.delete_jobs(job_ids bigint[]) RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    AS $$
DECLARE
    deleted integer;
BEGIN
    DELETE FROM onboarding.late_successes l WHERE l.job_id = ANY (job_ids);
    DELETE FROM onboarding.shared_ids s WHERE s.job_id = ANY (job_ids) OR s.other_job_id = ANY (job_ids);
    DELETE FROM onboarding.jobs j WHERE j.id = ANY (job_ids);
    GET DIAGNOSTICS deleted = ROW_COUNT;
    -- A deferred reference from a table of the company's own would fail at the commit, and undo everything.
    SET CONSTRAINTS ALL IMMEDIATE;
    RETURN deleted;
END;
$$;

CREATE FUNCTION onboarding.doubt_unfinished(provider text, reason text) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    p onboarding.providers := onboarding.lock_provider(provider);
    doubted bigint;
BEGIN
    IF coalesce(btrim(reason), '') = '' THEN PERFORM onboarding.refuse('reason', 'is needed: it is kept'); END IF;
    UPDATE onboarding.jobs j
    SET last_sent_at = clock_timestamp(), first_sent_at = coalesce(j.first_sent_at, j.created_at), updated_at = now()
    WHERE j.provider = p.provider AND j.state IN ('blocked', 'available', 'running', 'uncertain');
    GET DIAGNOSTICS doubted = ROW_COUNT;
    INSERT INTO onboarding.provider_events (provider, actor, event, reason)
    VALUES (p.provider, session_user, 'doubted', left(doubt_unfinished.reason, 500));
    RETURN doubted;
END;
$$;

CREATE FUNCTION onboarding.drop_history(keep interval, OUT dropped integer, OUT failures jsonb[]) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET "TimeZone" TO 'UTC'
    SET enable_seqscan TO 'off'
    AS $_$
DECLARE
    place record;
BEGIN
    dropped := 0; failures := '{}';
    FOR place IN
        SELECT i.inhparent::regclass AS parent, i.inhrelid::regclass AS partition
        FROM pg_catalog.pg_inherits i
        WHERE i.inhparent IN ('onboarding.attempts'::regclass, 'onboarding.state_changes'::regclass)
          AND onboarding.partition_end(i.inhrelid) < now() - keep
        -- So that each comes first at some time, whichever is locked.
        ORDER BY random()
    LOOP
        BEGIN
            -- Detached first, so that the parent is locked for a moment only.
            EXECUTE format('ALTER TABLE %s DETACH PARTITION %s', place.parent, place.partition);
            EXECUTE format('DROP TABLE %s', place.partition);
            dropped := dropped + 1;
        EXCEPTION WHEN OTHERS THEN
            failures := failures || onboarding.upkeep_failure(format('drop the partition %s', place.partition), SQLSTATE, SQLERRM);
            IF SQLSTATE = '55P03' THEN EXIT; END IF;
        END;
    END LOOP;
    FOR place IN SELECT * FROM (VALUES ('attempts_rest', 'claimed_at'), ('state_changes_rest', 'at')) AS r (name, moment) LOOP
        BEGIN
            EXECUTE format('DELETE FROM onboarding.%1$I WHERE ctid = ANY (ARRAY(SELECT r.ctid FROM onboarding.%1$I r WHERE r.%2$I < $1 LIMIT 20000))',
                place.name, place.moment) USING now() - keep;
        EXCEPTION WHEN OTHERS THEN
            failures := failures || onboarding.upkeep_failure(format('delete old rows of %s', place.name), SQLSTATE, SQLERRM);
        END;
    END LOOP;
END;
$_$;

CREATE FUNCTION onboarding.effect_horizon(provider_name text) RETURNS interval
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT CASE WHEN p.effect_horizon < interval '120 s' THEN p.effect_horizon
        ELSE greatest(p.effect_horizon, (
            SELECT max(w.call_timeout) + interval '8 s' FROM onboarding.worker_leases w
            WHERE w.lease_expires_at > clock_timestamp())) END
    FROM onboarding.providers p WHERE p.provider = provider_name;
$$;

CREATE FUNCTION onboarding.enqueue(kind text, payload jsonb, reference text DEFAULT NULL::text, unique_key text DEFAULT NULL::text, parameters jsonb DEFAULT '{}'::jsonb, priority integer DEFAULT 5, run_at timestamp with time zone DEFAULT now(), expires_at timestamp with time zone DEFAULT NULL::timestamp with time zone, after_job_id bigint DEFAULT NULL::bigint, order_key text DEFAULT NULL::text, follow text DEFAULT 'created'::text, max_attempts integer DEFAULT 25, traceparent text DEFAULT NULL::text, idempotency_key uuid DEFAULT NULL::uuid) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
DECLARE
    job bigint;
BEGIN
    -- Asked first, since what was right then may be refused now: an end that has passed since.
    IF enqueue.unique_key IS NOT NULL THEN
        job := onboarding.same_job(enqueue.kind, enqueue.unique_key, enqueue.payload, enqueue.parameters);
        IF job IS NOT NULL THEN RETURN job; END IF;
    END IF;
    IF enqueue.priority NOT BETWEEN 0 AND 9 THEN
        PERFORM onboarding.refuse('priority', format('must be between 0 and 9, not %s', enqueue.priority));
    END IF;
    IF enqueue.max_attempts NOT BETWEEN 1 AND 1000 THEN
        PERFORM onboarding.refuse('max_attempts', format('must be between 1 and 1000, not %s', enqueue.max_attempts));
    END IF;
    INSERT INTO onboarding.jobs AS j (kind, payload, parameters, reference, unique_key, idempotency_key, priority,
        run_at, expires_at, after_job_id, order_key, max_attempts, follow, traceparent)
    VALUES (enqueue.kind, enqueue.payload, enqueue.parameters, enqueue.reference, enqueue.unique_key,
        coalesce(enqueue.idempotency_key, onboarding.new_idempotency_key()), enqueue.priority, enqueue.run_at, enqueue.expires_at,
        enqueue.after_job_id, enqueue.order_key, enqueue.max_attempts, enqueue.follow, enqueue.traceparent)
    ON CONFLICT (kind, unique_key) WHERE unique_key IS NOT NULL DO NOTHING
    RETURNING j.id INTO job;
    IF job IS NOT NULL THEN RETURN job; END IF;

    job := onboarding.same_job(enqueue.kind, enqueue.unique_key, enqueue.payload, enqueue.parameters);
    IF job IS NULL THEN
        RAISE EXCEPTION 'onboarding: unique_key was taken by a transaction that this one cannot see; run it again'
            USING ERRCODE = 'serialization_failure';
    END IF;
    RETURN job;
END;
$$;

CREATE FUNCTION onboarding.expire_jobs(max_jobs integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    AS $$
DECLARE
    ended bigint[];
BEGIN
    WITH expired AS (
        UPDATE onboarding.jobs j
        SET state = 'failed', finished_at = now(), updated_at = now(), last_error = 'expired before it could run'
        WHERE j.id = ANY (ARRAY(
            SELECT e.id FROM onboarding.jobs e
            WHERE e.state = 'available' AND e.last_sent_at IS NULL AND e.expires_at <= now()
            ORDER BY e.expires_at LIMIT max_jobs FOR NO KEY UPDATE SKIP LOCKED))
        RETURNING j.id, j.last_error
    ), logged AS (
        INSERT INTO onboarding.state_changes (job_id, from_state, to_state, actor, reason)
        SELECT x.id, 'available', 'failed', session_user, x.last_error FROM expired x
        RETURNING job_id
    )
    SELECT array_agg(l.job_id) FROM logged l CROSS JOIN LATERAL onboarding.notify_event(l.job_id, 'failed') INTO ended;
    IF ended IS NULL THEN RETURN 0; END IF;
    PERFORM onboarding.settle_dependents(ended);
    RETURN cardinality(ended);
END;
$$;

CREATE FUNCTION onboarding.first_running(start timestamp with time zone) RETURNS timestamp with time zone
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET jit TO 'off'
    AS $$
    SELECT least(now() - interval '1 minute', min(first.claimed_at))
    FROM onboarding.providers p CROSS JOIN LATERAL (
        SELECT j.claimed_at FROM onboarding.jobs j
        WHERE j.provider = p.provider AND j.state = 'running' AND j.claimed_at >= start
        ORDER BY j.claimed_at LIMIT 1) AS first;
$$;

CREATE FUNCTION onboarding.has_running(worker_id text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET jit TO 'off'
    AS $$
    SELECT EXISTS (
        SELECT 1 FROM onboarding.providers p CROSS JOIN LATERAL (
            SELECT 1 FROM onboarding.jobs j
            WHERE j.provider = p.provider AND j.state = 'running' AND j.claimed_by = worker_id
              AND j.claimed_at >= (SELECT m.running_since FROM onboarding.maintenance m)
            LIMIT 1) AS running);
$$;

CREATE FUNCTION onboarding.has_work(served text[]) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    AS $$
    SELECT EXISTS (
            SELECT 1 FROM onboarding.jobs j
            WHERE j.state = 'available' AND NOT j.is_behind AND j.provider = ANY (served)
              AND (j.run_at <= now() OR j.last_outcome IS NOT NULL))
        OR EXISTS (
            SELECT 1 FROM onboarding.jobs j
            WHERE j.state = 'running' AND j.provider = ANY (served))
        OR EXISTS (
            SELECT 1 FROM onboarding.jobs j
            JOIN onboarding.jobs a ON a.id = j.after_job_id
            WHERE j.state = 'blocked' AND j.provider = ANY (served) AND a.provider = ANY (served)
              AND (a.state = 'running' OR (a.state = 'available' AND (a.run_at <= now() OR a.last_outcome IS NOT NULL))))
        OR EXISTS (SELECT 1 FROM onboarding.unsettled_ends);
$$;

CREATE FUNCTION onboarding.hold_end(p onboarding.providers, t timestamp with time zone) RETURNS timestamp with time zone
    LANGUAGE sql IMMUTABLE
    AS $$
    SELECT CASE WHEN p.held_until <= t + interval '24 h' AND (p.throttled_at IS NULL OR p.throttled_at <= t + interval '1 s')
        THEN p.held_until END;
$$;

CREATE FUNCTION onboarding.is_in_doubt(last_sent_at timestamp with time zone, late_doubt boolean, sent boolean, proven boolean) RETURNS boolean
    LANGUAGE sql IMMUTABLE
    RETURN CASE WHEN proven THEN late_doubt ELSE (sent OR (last_sent_at IS NOT NULL)) END;

CREATE FUNCTION onboarding.is_preparing() RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT right(current_query(), 2000) ~* 'prepare(\s|/\*.*\*/|--[^\n]*\n)+transaction';
$$;

CREATE FUNCTION onboarding.keep_late(job_ids bigint[], tokens bigint[], workers text[], claimed_ats text[], attempt_numbers smallint[], did_steps text[], outcomes text[], reached boolean[], http_statuses integer[], request_ids text[], provider_ids text[], provider_statuses text[], errors text[], sent_ages_ms bigint[], keys text[], digests bytea[], written_tokens bigint[]) RETURNS TABLE(job_id bigint, claim_token bigint, written boolean, job_state text)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH missed AS (
        SELECT r.*,
            EXISTS (
                SELECT 1 FROM onboarding.attempts a
                WHERE a.job_id = r.job_id AND a.claim_token = r.token AND NOT a.late AND a.outcome <> 'lost') AS is_known,
            EXISTS (
                SELECT 1 FROM onboarding.attempts a
                WHERE a.job_id = r.job_id AND a.claim_token = r.token AND a.late) AS is_kept
        FROM unnest(job_ids, tokens, workers, claimed_ats, attempt_numbers, did_steps, outcomes, reached, http_statuses,
            request_ids, provider_ids, provider_statuses, errors, sent_ages_ms, keys, digests)
        AS r (job_id, token, worker, claimed_at, attempt, did_step, outcome, reached, http_status, request_id,
            provider_id, provider_status, error, sent_age_ms, key, digest)
        WHERE r.token <> ALL (written_tokens)
    ), journal AS (
        INSERT INTO onboarding.attempts (job_id, claim_token, claimed_at, sent_at, idempotency_key, http_status, attempt,
            late, step, worker, outcome, provider_id, provider_status, request_id, error, reason, body_sha256)
        SELECT m.job_id, m.token, m.claimed_at::timestamptz, now() - m.sent_age_ms * interval '1 ms', m.key::uuid,
            m.http_status, m.attempt, true, m.did_step, m.worker, m.outcome, m.provider_id, m.provider_status,
            m.request_id, m.error,
            CASE WHEN m.reached THEN 'came too late, and may have had an effect: another worker had the job'
                ELSE 'came too late: another worker had the job' END, m.digest
        FROM missed m WHERE NOT m.is_known AND NOT m.is_kept
        ON CONFLICT DO NOTHING
    ), evidence AS (
        INSERT INTO onboarding.late_successes (job_id, claim_token, provider_id, provider_status, worker)
        SELECT m.job_id, m.token, m.provider_id, m.provider_status, m.worker
        FROM missed m WHERE NOT m.is_known AND NOT m.is_kept AND m.provider_id IS NOT NULL
        ON CONFLICT DO NOTHING
    ), doubt AS (
        UPDATE onboarding.jobs j
        SET late_doubt = true,
            last_sent_at = CASE WHEN j.state IN ('available', 'running', 'uncertain')
                THEN greatest(j.last_sent_at, clock_timestamp()) ELSE j.last_sent_at END,
            first_sent_at = coalesce(j.first_sent_at, j.claimed_at)
        FROM missed m
        WHERE j.id = ANY (ARRAY[m.job_id]) AND m.reached AND NOT m.is_known AND NOT m.is_kept
          AND coalesce(j.state, '') IN ('available', 'running', 'uncertain', 'failed', 'cancelled')
    )
    SELECT m.job_id, m.token, m.is_known, NULL::text FROM missed m;
END;
$$;

CREATE FUNCTION onboarding.key_age_ms(first_sent_at timestamp with time zone, t timestamp with time zone, set_back_at timestamp with time zone) RETURNS bigint
    LANGUAGE sql IMMUTABLE
    AS $$
    SELECT CASE WHEN first_sent_at > t OR first_sent_at < set_back_at THEN 3155760000000 ELSE onboarding.milliseconds(t - first_sent_at) END;
$$;

CREATE FUNCTION onboarding.known_backlog(max_age interval) RETURNS TABLE(provider text, due bigint, scheduled bigint, running bigint, waiting bigint, uncertain bigint, blocked bigint)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET jit TO 'off'
    AS $$
    SELECT s.provider, coalesce(s.due, b.due), coalesce(s.scheduled, b.scheduled), s.running, coalesce(s.waiting, b.waiting),
        coalesce(s.uncertain, b.uncertain), coalesce(s.blocked, b.blocked)
    FROM onboarding.count_backlog(onboarding.counted_at_once()) s
    LEFT JOIN onboarding.backlog b ON b.provider = s.provider
        AND b.counted_at BETWEEN statement_timestamp() - max_age AND statement_timestamp();
$$;

CREATE FUNCTION onboarding.learnt_rate(p onboarding.providers, t timestamp with time zone) RETURNS double precision
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT least(100000, p.adaptive_rate * (1 + 0.25 * s.age / p.rate_doubling + (s.age / p.rate_doubling) ^ 3))
    FROM (SELECT greatest(0, extract(epoch FROM t - greatest(p.throttled_at, onboarding.hold_end(p, t))))::double precision) AS s (age)
    -- `least` ignores null.
    WHERE s.age <= 300 AND p.adaptive_rate IS NOT NULL;
$$;

CREATE FUNCTION onboarding.limit_provider(provider text, max_in_flight integer DEFAULT NULL::integer, rate_per_second double precision DEFAULT NULL::double precision, burst integer DEFAULT NULL::integer, unlimited text[] DEFAULT '{}'::text[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    p onboarding.providers := onboarding.lock_provider(provider);
BEGIN
    IF NOT unlimited <@ ARRAY['max_in_flight', 'rate_per_second', 'burst'] THEN
        PERFORM onboarding.refuse('unlimited', 'may name max_in_flight, rate_per_second and burst');
    END IF;
    UPDATE onboarding.providers x
    SET max_in_flight = CASE WHEN 'max_in_flight' = ANY (unlimited) THEN NULL
            ELSE coalesce(limit_provider.max_in_flight, x.max_in_flight) END,
        rate_per_second = CASE WHEN 'rate_per_second' = ANY (unlimited) THEN NULL
            ELSE coalesce(limit_provider.rate_per_second, x.rate_per_second) END,
        burst = CASE WHEN 'burst' = ANY (unlimited) THEN NULL ELSE coalesce(limit_provider.burst, x.burst) END,
        updated_at = now()
    WHERE x.provider = p.provider
    RETURNING * INTO p;
    INSERT INTO onboarding.provider_events (provider, actor, event, reason)
    VALUES (p.provider, session_user, 'limited', format('max_in_flight %s, rate_per_second %s, burst %s',
        coalesce(p.max_in_flight::text, 'none'), coalesce(p.rate_per_second::text, 'none'), coalesce(p.burst::text, 'none')));
    PERFORM pg_notify('onboarding_jobs', p.provider);
END;
$$;

CREATE FUNCTION onboarding.new_idempotency_key() RETURNS uuid
    LANGUAGE sql
    RETURN (encode(OVERLAY(uuid_send(gen_random_uuid()) PLACING SUBSTRING(int8send(((EXTRACT(epoch FROM clock_timestamp()) * (1000)::numeric))::bigint) FROM 3) FROM 1 FOR 6), 'hex'::text))::uuid;

CREATE TABLE onboarding.jobs (
    id bigint NOT NULL,
    claim_token bigint,
    after_job_id bigint,
    run_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    claimed_at timestamp with time zone,
    lease_expires_at timestamp with time zone,
    first_sent_at timestamp with time zone,
    last_sent_at timestamp with time zone,
    cancel_requested_at timestamp with time zone,
    finished_at timestamp with time zone,
    idempotency_key uuid DEFAULT onboarding.new_idempotency_key() NOT NULL,
    payload_bytes integer DEFAULT 0 NOT NULL,
    last_http_status integer,
    last_create_status integer,
    priority smallint DEFAULT 5 NOT NULL,
    attempt smallint DEFAULT 0 NOT NULL,
    max_attempts smallint DEFAULT 25 NOT NULL,
    backoff_step smallint DEFAULT 0 NOT NULL,
    kind text NOT NULL,
    provider text GENERATED ALWAYS AS (split_part(kind, '.'::text, 1)) STORED NOT NULL,
    state text DEFAULT 'available'::text NOT NULL,
    step text DEFAULT 'create'::text NOT NULL,
    is_behind boolean DEFAULT false NOT NULL,
    follow text DEFAULT 'created'::text NOT NULL,
    reference text,
    unique_key text,
    order_key text,
    traceparent text,
    claimed_by text,
    provider_id text,
    provider_status text,
    decision text,
    last_outcome text,
    last_error text,
    body_sha256 bytea,
    parameters jsonb DEFAULT '{}'::jsonb NOT NULL,
    payload jsonb NOT NULL,
    marked_at timestamp with time zone,
    late_doubt boolean DEFAULT false NOT NULL,
    denied_at timestamp with time zone,
    mute_since timestamp with time zone,
    mute_look_ups smallint DEFAULT 0 NOT NULL,
    request_sha256 bytea,
    CONSTRAINT jobs_completed_has_provider_id CHECK (((state <> 'completed'::text) OR (provider_id IS NOT NULL))),
    CONSTRAINT jobs_decision_known CHECK ((decision = ANY (ARRAY['approved'::text, 'declined'::text, 'expired'::text]))),
    CONSTRAINT jobs_no_end_in_doubt CHECK (((state <> ALL (ARRAY['failed'::text, 'cancelled'::text])) OR (last_sent_at IS NULL))),
    CONSTRAINT jobs_running_is_claimed CHECK (((state <> 'running'::text) OR ((claim_token IS NOT NULL) AND (claimed_by IS NOT NULL) AND (claimed_at IS NOT NULL)))),
    CONSTRAINT jobs_state_known CHECK ((state = ANY (ARRAY['blocked'::text, 'available'::text, 'running'::text, 'waiting'::text, 'uncertain'::text, 'completed'::text, 'failed'::text, 'cancelled'::text]))),
    CONSTRAINT jobs_step_known CHECK ((step = ANY (ARRAY['create'::text, 'look_up'::text])))
)
WITH (autovacuum_vacuum_scale_factor='0.02', autovacuum_vacuum_threshold='1000', autovacuum_vacuum_insert_scale_factor='0.05', autovacuum_analyze_scale_factor='0.05', autovacuum_vacuum_cost_delay='0', fillfactor='50');

CREATE FUNCTION onboarding.lock_job(job_id bigint) RETURNS onboarding.jobs
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    job onboarding.jobs;
BEGIN
    SELECT * INTO job FROM onboarding.jobs j WHERE j.id = lock_job.job_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'onboarding: % is not a job', coalesce(lock_job.job_id::text, 'null')
            USING ERRCODE = 'no_data_found', COLUMN = 'job_id';
    END IF;
    RETURN job;
END;
$$;

CREATE FUNCTION onboarding.lock_provider(provider_name text) RETURNS onboarding.providers
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    p onboarding.providers;
BEGIN
    SELECT * INTO p FROM onboarding.providers x WHERE x.provider = provider_name FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        PERFORM onboarding.refuse('provider', format('%L is not known; known are %s', provider_name,
            (SELECT string_agg(x.provider, ', ' ORDER BY x.provider) FROM onboarding.providers x)));
    END IF;
    RETURN p;
END;
$$;

CREATE FUNCTION onboarding.log_state_change(job bigint, from_state text, to_state text, why text) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    INSERT INTO onboarding.state_changes (job_id, from_state, to_state, actor, reason)
    VALUES (job, from_state, to_state, session_user, why);
$$;

CREATE FUNCTION onboarding.maintain(max_jobs integer, OUT partitions_made integer, OUT partitions_dropped integer, OUT jobs_deleted integer) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '100ms'
    SET enable_seqscan TO 'off'
    SET jit TO 'off'
    SET "TimeZone" TO 'UTC'
    AS $$
DECLARE
    settings onboarding.maintenance;
    step_failures jsonb[];
    failed jsonb[] := '{}';
BEGIN
    SELECT * INTO settings FROM onboarding.maintenance FOR UPDATE SKIP LOCKED;
    -- A clock that was ahead may have left a time to come.
    IF NOT FOUND OR settings.last_run_at BETWEEN clock_timestamp() - interval '10 s' AND clock_timestamp() THEN RETURN; END IF;
    UPDATE onboarding.maintenance
    SET last_run_at = clock_timestamp(), running_since = onboarding.first_running(settings.running_since);
    partitions_made := 0; partitions_dropped := 0; jobs_deleted := 0;
    BEGIN
        PERFORM onboarding.count_ended();
    EXCEPTION WHEN OTHERS THEN
        failed := failed || onboarding.upkeep_failure('count ends by minute', SQLSTATE, SQLERRM);
    END;
    BEGIN
        SELECT m.made, m.failures INTO partitions_made, step_failures FROM onboarding.make_partitions() m;
        failed := failed || step_failures;
    EXCEPTION WHEN OTHERS THEN
        failed := failed || onboarding.upkeep_failure('make partitions', SQLSTATE, SQLERRM);
    END;
    IF settings.keep_history IS NOT NULL THEN
        BEGIN
            SELECT d.dropped, d.failures INTO partitions_dropped, step_failures FROM onboarding.drop_history(settings.keep_history) d;
            failed := failed || step_failures;
        EXCEPTION WHEN OTHERS THEN
            failed := failed || onboarding.upkeep_failure('drop old history', SQLSTATE, SQLERRM);
        END;
    END IF;
    BEGIN
        SELECT d.deleted, d.failures INTO jobs_deleted, step_failures FROM onboarding.delete_finished(max_jobs) d;
        failed := failed || step_failures;
    EXCEPTION WHEN OTHERS THEN
        failed := failed || onboarding.upkeep_failure('delete finished jobs', SQLSTATE, SQLERRM);
    END;
    DELETE FROM onboarding.upkeep_failures f WHERE NOT EXISTS (SELECT FROM unnest(failed) AS n (entry) WHERE n.entry ->> 'step' = f.step);
    INSERT INTO onboarding.upkeep_failures AS f (step, code, problem)
    SELECT n.entry ->> 'step', n.entry ->> 'code', n.entry ->> 'problem' FROM unnest(failed) AS n (entry)
    ON CONFLICT (step) DO UPDATE SET last_at = clock_timestamp(), code = excluded.code, problem = excluded.problem;
END;
$$;

CREATE FUNCTION onboarding.make_partitions(OUT made integer, OUT failures jsonb[]) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET "TimeZone" TO 'UTC'
    AS $$
DECLARE
    place record;
BEGIN
    made := 0; failures := '{}';
    FOR place IN
        SELECT p.parent, date_trunc('month', now()) + ahead * interval '1 month' AS month
        FROM unnest(ARRAY['attempts', 'state_changes']) AS p (parent) CROSS JOIN generate_series(0, 2) AS ahead
        UNION
        SELECT 'attempts', date_trunc('month', min(r.claimed_at)) FROM onboarding.attempts_rest r HAVING min(r.claimed_at) IS NOT NULL
        UNION
        SELECT 'state_changes', date_trunc('month', min(r.at)) FROM onboarding.state_changes_rest r HAVING min(r.at) IS NOT NULL
        ORDER BY 1, 2
    LOOP
        BEGIN
            IF onboarding.add_partition(place.parent, place.month) THEN made := made + 1; END IF;
        EXCEPTION WHEN OTHERS THEN
            failures := failures || onboarding.upkeep_failure(
                format('make the partition of %s for %s', place.parent, to_char(place.month, 'YYYY-MM')), SQLSTATE, SQLERRM);
            -- The next would wait for the same reader.
            IF SQLSTATE = '55P03' THEN EXIT; END IF;
        END;
    END LOOP;
END;
$$;

CREATE FUNCTION onboarding.make_roles() RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    role_name text;
    missing text[] := '{}';
BEGIN
    FOREACH role_name IN ARRAY ARRAY['onboarding_enqueuer', 'onboarding_worker', 'onboarding_operator', 'onboarding_monitor'] LOOP
        IF NOT EXISTS (SELECT 1 FROM pg_catalog.pg_roles r WHERE r.rolname = role_name) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
            EXCEPTION
                -- Roles belong to the whole server: another database's migration may make them at this moment.
                WHEN duplicate_object OR unique_violation THEN NULL;
                WHEN insufficient_privilege THEN missing := missing || format('CREATE ROLE %I NOLOGIN;', role_name);
            END;
        END IF;
    END LOOP;
    IF missing <> '{}' THEN
        RAISE EXCEPTION 'onboarding: this login may not create roles; ask an administrator to run: %', array_to_string(missing, ' ')
            USING ERRCODE = 'insufficient_privilege';
    END IF;
END;
$$;

CREATE FUNCTION onboarding.mark_sent(worker_id text, job_ids bigint[], tokens bigint[], request_digests bytea[] DEFAULT NULL::bytea[]) RETURNS SETOF bigint
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    AS $$
    UPDATE onboarding.jobs j
    SET marked_at = clock_timestamp(), request_sha256 = coalesce(j.request_sha256, m.digest)
    FROM unnest(job_ids, tokens, request_digests) AS m (job_id, token, digest)
    -- What somebody has locked is not sent: perhaps a cancel that has not committed yet.
    WHERE j.id = ANY (ARRAY(SELECT f.id FROM onboarding.jobs f WHERE f.id = ANY (job_ids) FOR NO KEY UPDATE SKIP LOCKED))
      AND j.id = m.job_id AND j.claim_token = m.token AND coalesce(j.state, '') = 'running'
      AND j.cancel_requested_at IS NULL AND (j.expires_at IS NULL OR j.expires_at > clock_timestamp())
      AND EXISTS (SELECT 1 FROM onboarding.worker_leases w WHERE w.id = worker_id AND w.lease_expires_at > clock_timestamp())
    RETURNING j.claim_token;
$$;

CREATE FUNCTION onboarding.may_exist(job onboarding.jobs) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT job.last_sent_at IS NOT NULL OR job.late_doubt
        OR EXISTS (SELECT 1 FROM onboarding.late_successes l WHERE l.job_id = job.id);
$$;

CREATE FUNCTION onboarding.milliseconds(span interval) RETURNS bigint
    LANGUAGE sql IMMUTABLE
    AS $$
    SELECT (extract(epoch FROM span) * 1000)::bigint;
$$;

CREATE FUNCTION onboarding.milliseconds_until(moment timestamp with time zone, t timestamp with time zone) RETURNS integer
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT CASE WHEN moment > t + interval '1 hour' THEN 3600000
        ELSE greatest(1, ceil(extract(epoch FROM moment - t) * 1000))::integer END;
$$;

CREATE FUNCTION onboarding.not_after(moment timestamp with time zone, t timestamp with time zone) RETURNS timestamp with time zone
    LANGUAGE sql IMMUTABLE
    RETURN CASE WHEN (moment > t) THEN t ELSE moment END;

CREATE FUNCTION onboarding.note_clock_jump(jump_ms bigint) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '1s'
    AS $$
DECLARE
    t timestamptz := clock_timestamp();
    moved integer;
BEGIN
    UPDATE onboarding.maintenance m
    SET clock_watched_since = t,
        clock_set_back_at = CASE WHEN jump_ms < 0
            THEN greatest(m.clock_set_back_at, t + least(-jump_ms, 172800000) * interval '1 ms') ELSE m.clock_set_back_at END;
    IF jump_ms >= 0 THEN RETURN 0; END IF;
    -- All but what a caller has asked for at a later time, and nobody has tried yet.
    UPDATE onboarding.jobs j SET run_at = t + greatest(interval '0', j.run_at - j.updated_at), updated_at = t
    WHERE j.id = ANY (ARRAY(
        SELECT q.id FROM onboarding.jobs q
        WHERE q.state = 'available' AND q.run_at > t AND q.updated_at > t
          AND (q.last_outcome IS NOT NULL OR q.run_at <= q.updated_at)
        LIMIT 5000 FOR NO KEY UPDATE SKIP LOCKED));
    GET DIAGNOSTICS moved = ROW_COUNT;
    IF moved > 0 THEN PERFORM pg_notify('onboarding_jobs', ''); END IF;
    RETURN moved;
END;
$$;

CREATE FUNCTION onboarding.note_provider_health(job_ids bigint[], tokens bigint[], outcomes text[], http_statuses integer[], holds_ms bigint[], concerned text[]) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '100ms'
    AS $$
DECLARE
    told record;
    p onboarding.providers;
    t timestamptz := clock_timestamp();
    since timestamptz;
    news text;
    reason text;
BEGIN
    IF NOT outcomes && ARRAY['throttled', 'unauthorized'] AND array_remove(holds_ms, NULL) = '{}' AND NOT EXISTS (
        SELECT 1 FROM onboarding.providers x
        WHERE x.circuit = 'half_open' OR (x.call_window IS NOT NULL AND x.provider = ANY (concerned)))
    THEN RETURN; END IF;
    FOR told IN
        SELECT j.provider,
            max(j.claimed_at) FILTER (WHERE b.outcome = 'throttled' OR b.hold_ms IS NOT NULL) AS throttled, max(b.hold_ms) AS asked_ms,
            max(j.claimed_at) FILTER (WHERE b.outcome = 'unauthorized') AS refused,
            bool_and(b.outcome <> 'unauthorized' OR coalesce((
                SELECT a.outcome = 'unauthorized' FROM onboarding.attempts a
                WHERE b.outcome = 'unauthorized' AND a.job_id = b.id AND a.claim_token <> b.token AND NOT a.late AND a.http_status IS NOT NULL
                ORDER BY a.finished_at DESC LIMIT 1), false)) AS refused_before,
            max(j.claimed_at) FILTER (WHERE b.is_answered AND j.state <> 'uncertain') AS answered,
            count(*) FILTER (WHERE b.is_answered AND j.state <> 'uncertain') AS answers,
            max(j.claimed_at) FILTER (WHERE j.state = 'uncertain') AS doubtful,
            count(*) FILTER (WHERE j.state = 'uncertain') AS doubts,
            max(j.claimed_at) AS claimed
        FROM (
            SELECT u.*, u.http_status IS NOT NULL AND u.outcome NOT IN ('unauthorized', 'throttled') AS is_answered
            FROM unnest(job_ids, tokens, outcomes, http_statuses, holds_ms) AS u (id, token, outcome, http_status, hold_ms)) b
        JOIN onboarding.jobs j ON j.id = ANY (ARRAY[b.id])
        GROUP BY j.provider ORDER BY j.provider
    LOOP
        SELECT * INTO p FROM onboarding.providers x WHERE x.provider = told.provider;
        CONTINUE WHEN told.throttled IS NULL AND told.refused IS NULL AND p.circuit <> 'half_open' AND p.call_window IS NULL;
        BEGIN
            PERFORM 1 FROM onboarding.providers x WHERE x.provider = told.provider FOR NO KEY UPDATE;
        EXCEPTION WHEN lock_not_available THEN
            -- An operator holds the row: results do not wait for that. The next batch tells as much of the provider.
            CONTINUE;
        END;
        IF told.throttled IS NOT NULL THEN PERFORM onboarding.note_throttle(told.provider, told.throttled, told.asked_ms); END IF;
        IF p.call_window IS NOT NULL THEN PERFORM onboarding.note_trial(told.provider, told.answers, told.doubts); END IF;
        CONTINUE WHEN told.refused IS NULL AND p.circuit <> 'half_open' AND (told.doubts = 0 OR p.call_window IS NULL);
        SELECT * INTO p FROM onboarding.providers x WHERE x.provider = told.provider FOR NO KEY UPDATE;
        -- Calls that were under way when the circuit opened are no probes.
        since := CASE WHEN p.circuit_opened_at <= t THEN p.circuit_opened_at ELSE '-infinity' END;
        reason := CASE WHEN told.refused IS NOT NULL THEN 'credentials refused' ELSE 'ambiguous answers' END;
        news := CASE
            WHEN p.circuit = 'closed' AND (told.refused IS NOT NULL AND NOT told.refused_before OR p.doubt >= 3) THEN 'opens'
            WHEN p.circuit <> 'half_open' THEN NULL
            WHEN told.answered > since THEN 'closes'
            WHEN told.refused > since OR (told.doubtful > since AND p.call_window IS NOT NULL) THEN 'opens'
            -- A probe that called nobody, or was not answered, told nothing: the next one goes soon.
            WHEN told.claimed > since THEN 'waits' END;
        CONTINUE WHEN news IS NULL;
        UPDATE onboarding.providers x
        SET circuit = CASE news WHEN 'closes' THEN 'closed' ELSE 'open' END,
            circuit_reason = CASE news WHEN 'opens' THEN reason WHEN 'waits' THEN x.circuit_reason END,
            circuit_opened_at = CASE WHEN news = 'closes' THEN NULL WHEN x.circuit = 'closed' THEN t ELSE x.circuit_opened_at END,
            circuit_failures = CASE news WHEN 'opens' THEN x.circuit_failures + 1 WHEN 'waits' THEN x.circuit_failures ELSE 0 END,
            -- 5 s, 10 s, 20 s … 5 min between probes.
            circuit_probe_at = CASE news WHEN 'opens' THEN t + least(interval '5 s' * 2 ^ least(x.circuit_failures, 10), interval '5 min')
                WHEN 'waits' THEN t + interval '1 s' END,
            -- One more doubtful end opens it again.
            call_window = CASE WHEN news = 'closes' AND x.call_window > 1 THEN 1 ELSE x.call_window END,
            doubt = CASE WHEN news = 'closes' THEN least(x.doubt, 2) ELSE x.doubt END, updated_at = t
        WHERE x.provider = p.provider;
        IF news <> 'waits' THEN
            INSERT INTO onboarding.provider_events (provider, actor, event, reason)
            VALUES (p.provider, session_user, CASE news WHEN 'opens' THEN 'circuit_open' ELSE 'circuit_closed' END,
                CASE news WHEN 'opens' THEN reason ELSE 'the probe was answered' END);
        END IF;
    END LOOP;
END;
$$;

CREATE FUNCTION onboarding.note_shared_ids(job_ids bigint[]) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    AS $$
    INSERT INTO onboarding.shared_ids (job_id, other_job_id)
    SELECT j.id, o.id
    FROM onboarding.jobs j
    JOIN onboarding.jobs o ON o.provider_id = ANY (ARRAY[j.provider_id]) AND o.provider = j.provider AND o.id <> j.id
    WHERE j.id = ANY (job_ids) AND j.provider_id IS NOT NULL
    ON CONFLICT DO NOTHING;
$$;

CREATE FUNCTION onboarding.note_throttle(provider_name text, claimed_at timestamp with time zone, asked_ms bigint) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET jit TO 'off'
    AS $$
DECLARE
    p onboarding.providers;
    t timestamptz;
    known double precision;
    is_first boolean;
    is_news boolean;
    seen record;
    hold interval;
    measured double precision;
BEGIN
    SELECT * INTO p FROM onboarding.providers x WHERE x.provider = provider_name FOR NO KEY UPDATE;
    t := clock_timestamp();
    known := onboarding.learnt_rate(p, t);
    is_first := known IS NULL OR p.throttled_at > t;
    is_news := is_first OR note_throttle.claimed_at > p.throttled_at;
    -- The last ends of any provider, so that the look is bounded.
    SELECT count(*) FILTER (WHERE f.provider = provider_name) AS ends, min(f.finished_at) AS since, count(*) AS looked,
        count(*) FILTER (WHERE f.provider = provider_name AND f.finished_at > p.throttled_at) AS new_ends,
        bool_or(f.provider = provider_name AND f.claimed_at > p.throttled_at) AS let_in
    INTO seen
    FROM (
        SELECT j.finished_at, j.provider, j.claimed_at FROM onboarding.jobs j
        WHERE j.finished_at BETWEEN CASE WHEN is_first THEN t - interval '10 s' ELSE p.measured_since END AND t
        ORDER BY j.finished_at DESC LIMIT 2000) f;
    IF is_first THEN
        p.throttle_streak := 1;
        p.rate_doubling := 4;
        p.measured_since := coalesce(seen.since, t);
    ELSIF is_news AND seen.let_in THEN
        p.throttle_streak := greatest(1, p.throttle_streak - 2);
        p.rate_doubling := least(p.rate_doubling * 1.6, greatest(16, least(300, 30 / p.adaptive_rate)));
        p.measured_since := p.throttled_at;
        seen.ends := seen.new_ends;
    ELSIF is_news THEN
        p.throttle_streak := least(p.throttle_streak + 1, 30);
    END IF;
    measured := seen.ends / CASE WHEN seen.looked = 2000 THEN greatest(0.1, extract(epoch FROM t - seen.since))
        ELSE greatest(1, extract(epoch FROM t - p.measured_since)) END;
    p.adaptive_rate := CASE
        WHEN is_first THEN measured
        -- What has been shut for long tells nothing about its rate.
        WHEN is_news THEN CASE WHEN seen.let_in OR p.measured_since > t - interval '2 min'
            THEN least(greatest(measured, known / 2), known * 0.95) ELSE p.adaptive_rate END
        -- Others of the same storm were let in.
        WHEN p.throttle_streak = 1 THEN greatest(p.adaptive_rate, measured)
        ELSE p.adaptive_rate END;
    hold := greatest(
        CASE WHEN is_news THEN least(60, 0.25 * 2 ^ (p.throttle_streak - 1)) * (0.8 + 0.4 * random()) * interval '1 s' ELSE interval '0' END,
        CASE WHEN asked_ms > 0 THEN least(asked_ms, 86400000) * interval '1 ms' END);
    UPDATE onboarding.providers x
    SET throttle_streak = p.throttle_streak, throttled_at = CASE WHEN is_news THEN t ELSE p.throttled_at END,
        adaptive_rate = greatest(0.05, p.adaptive_rate), rate_doubling = p.rate_doubling, measured_since = p.measured_since,
        held_until = greatest(onboarding.hold_end(p, t), t + hold), updated_at = t
    WHERE x.provider = provider_name;
    IF is_first THEN
        INSERT INTO onboarding.provider_events (provider, actor, event, reason)
        VALUES (provider_name, session_user, 'throttled', 'calls were refused for their number: held, then slowed');
    END IF;
END;
$$;

CREATE FUNCTION onboarding.note_trial(provider_name text, answers bigint, doubts bigint) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    UPDATE onboarding.providers p
    SET call_window = CASE WHEN doubts = 0 THEN least(64, w.size + answers * 0.125) ELSE greatest(1, w.size / 2 ^ least(doubts, 10)) END,
        doubt = greatest(0, CASE WHEN p.tried_at BETWEEN clock_timestamp() - interval '10 min' AND clock_timestamp() THEN p.doubt ELSE 0 END
            + doubts - answers * 0.1),
        tried_at = clock_timestamp()
    FROM (SELECT coalesce(onboarding.trial_window(x, clock_timestamp()), 64) AS size
        FROM onboarding.providers x WHERE x.provider = provider_name) w
    WHERE p.provider = provider_name AND answers + doubts > 0
      -- Where all is well it is written now and then only.
      AND (doubts > 0 OR p.doubt > 0 OR p.call_window < 64
        OR p.tried_at NOT BETWEEN clock_timestamp() - interval '5 s' AND clock_timestamp() OR p.tried_at IS NULL);
$$;

CREATE FUNCTION onboarding.note_unsettled(noted bigint) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    IF current_setting('onboarding.noted', true) IS NOT DISTINCT FROM pg_current_xact_id()::text || ' ' || noted THEN RETURN; END IF;
    INSERT INTO onboarding.unsettled_ends (job_id) VALUES (noted);
    PERFORM set_config('onboarding.noted', pg_current_xact_id()::text || ' ' || noted, true);
END;
$$;

CREATE FUNCTION onboarding.notify_event(job bigint, state text) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT pg_notify('onboarding_events', format('{"job_id": %s, "state": "%s"}', job, state)) WHERE NOT onboarding.is_preparing();
$$;

CREATE FUNCTION onboarding.notify_jobs() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    AS $$
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

CREATE FUNCTION onboarding.old_claims(worker_id text) RETURNS SETOF bigint
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    AS $$
    SELECT j.claim_token FROM onboarding.providers p
    JOIN onboarding.jobs j ON j.provider = p.provider AND j.claimed_at >= (SELECT m.running_since FROM onboarding.maintenance m)
    WHERE j.state = 'running' AND j.claimed_by = worker_id AND j.claimed_at < clock_timestamp() - interval '10 s';
$$;

CREATE FUNCTION onboarding.pace(p onboarding.providers, t timestamp with time zone, OUT rate double precision, OUT burst integer) RETURNS record
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT least(p.rate_per_second, l.rate),
        CASE WHEN l.rate < p.rate_per_second OR p.rate_per_second IS NULL
            THEN least(p.burst, 1 + (l.rate / 20)::integer) ELSE coalesce(p.burst, 1) END
    FROM (SELECT CASE WHEN p.adaptive_rate IS NOT NULL THEN onboarding.learnt_rate(p, t) END) AS l (rate);
$$;

CREATE FUNCTION onboarding.partition_end(partition oid) RETURNS timestamp with time zone
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET "TimeZone" TO 'UTC'
    SET "DateStyle" TO 'ISO'
    AS $$
    SELECT substring(pg_get_expr(c.relpartbound, c.oid) FROM 'TO \(''([^'']+)''\)')::timestamptz FROM pg_catalog.pg_class c WHERE c.oid = partition;
$$;

CREATE FUNCTION onboarding.pause_provider(provider text, reason text DEFAULT NULL::text, until timestamp with time zone DEFAULT 'infinity'::timestamp with time zone) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    p onboarding.providers := onboarding.lock_provider(provider);
BEGIN
    IF coalesce(pause_provider.until, 'infinity') <= now() THEN PERFORM onboarding.refuse('until', 'must be in the future'); END IF;
    UPDATE onboarding.providers x
    SET paused_until = coalesce(pause_provider.until, 'infinity'), pause_reason = pause_provider.reason, updated_at = now()
    WHERE x.provider = p.provider;
    INSERT INTO onboarding.provider_events (provider, actor, event, reason)
    VALUES (p.provider, session_user, 'paused', pause_provider.reason);
END;
$$;

CREATE FUNCTION onboarding.permits(provider_name text, wanted integer, OUT allowed integer, OUT hint text, OUT wait_ms integer, OUT counted boolean, OUT probing boolean) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    AS $$
DECLARE
    p onboarding.providers;
    -- Not now(): this transaction may have waited for its turn.
    t timestamptz := clock_timestamp();
BEGIN
    allowed := 0; counted := false; probing := false; wait_ms := 1000;
    SELECT * INTO p FROM onboarding.providers WHERE provider = provider_name;
    IF NOT FOUND THEN hint := 'unknown'; RETURN; END IF;
    SELECT a.allowed, a.hint, a.wait_ms, a.probing INTO allowed, hint, wait_ms, probing FROM onboarding.allowance(p, wanted, t) a;
    counted := p.max_in_flight IS NOT NULL OR p.rate_per_second IS NOT NULL OR p.adaptive_rate IS NOT NULL
        OR p.circuit <> 'closed' OR (p.call_window IS NOT NULL AND onboarding.trial_window(p, t) IS NOT NULL);
    IF allowed = 0 OR NOT counted THEN RETURN; END IF;
    SELECT * INTO p FROM onboarding.providers WHERE provider = provider_name FOR NO KEY UPDATE;
    SELECT a.allowed, a.hint, a.wait_ms, a.probing INTO allowed, hint, wait_ms, probing
    FROM onboarding.allowance(p, wanted, clock_timestamp()) a;
END;
$$;

CREATE FUNCTION onboarding.probe_job(provider_name text, t timestamp with time zone) RETURNS bigint
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET jit TO 'off'
    AS $$
    SELECT d.id
    FROM generate_series(0, 9) AS p (priority)
    CROSS JOIN LATERAL (
        SELECT q.id FROM onboarding.jobs q
        WHERE q.state = 'available' AND NOT q.is_behind AND q.provider = provider_name AND q.priority = p.priority AND q.run_at <= t
          AND (q.expires_at IS NULL OR q.expires_at > t OR q.last_sent_at IS NOT NULL) AND q.last_outcome IS DISTINCT FROM 'unauthorized'
        ORDER BY q.run_at, q.id LIMIT 100) d
    ORDER BY random() LIMIT 1;
$$;

CREATE FUNCTION onboarding.queue_counts() RETURNS TABLE(provider text, due bigint, scheduled bigint, running bigint, waiting bigint, uncertain bigint, blocked bigint, completed_last_hour bigint, failed_last_hour bigint, oldest_due_age_seconds double precision)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET jit TO 'off'
    AS $$
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

CREATE FUNCTION onboarding.rate_cell(rate double precision, burst integer) RETURNS interval
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT make_interval(secs => CASE WHEN coalesce(burst, 1) = 1 THEN 1.06 ELSE 1 END / rate);
$$;

CREATE FUNCTION onboarding.refuse(field text, problem text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    RAISE EXCEPTION 'onboarding: % %', field, problem USING ERRCODE = 'check_violation', COLUMN = field;
END;
$$;

CREATE FUNCTION onboarding.refuse_illegal_transition() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    RAISE EXCEPTION 'onboarding: job % cannot go from % to %', OLD.id, OLD.state, NEW.state
        USING ERRCODE = 'check_violation', COLUMN = 'state';
END;
$$;

CREATE FUNCTION onboarding.refuse_length(field text, value text) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT onboarding.refuse(field, format('must have 1 to 255 characters, not %s', length(value)));
$$;

CREATE FUNCTION onboarding.register_worker(worker_id text, host_name text, program_version text, slots integer, served text[], lease_ms integer, call_ms integer DEFAULT 0, OUT is_new boolean, OUT unwatched_ms bigint) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    t timestamptz := clock_timestamp();
BEGIN
    INSERT INTO onboarding.worker_leases (id, host, version, last_seen_at, lease_expires_at, concurrency, providers, call_timeout)
    VALUES (worker_id, host_name, program_version, t, t + lease_ms * interval '1 ms', slots, served, call_ms * interval '1 ms')
    ON CONFLICT (id) DO NOTHING
    RETURNING true INTO is_new;
    IF is_new AND NOT EXISTS (
        SELECT 1 FROM onboarding.worker_leases w
        WHERE w.id <> worker_id AND w.lease_expires_at > t AND w.last_seen_at <= t)
    THEN
        unwatched_ms := least(0, onboarding.milliseconds(t - (
            SELECT greatest(max(w.last_seen_at), max(m.clock_seen_at))
            FROM onboarding.maintenance m LEFT JOIN onboarding.worker_leases w ON w.id <> worker_id)));
        unwatched_ms := coalesce(unwatched_ms, 0);
    END IF;
    PERFORM onboarding.shorten_leases(t);
END;
$$;

CREATE FUNCTION onboarding.remove_worker(worker_id text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    DELETE FROM onboarding.worker_leases w WHERE w.id = worker_id;
    PERFORM 1 FROM onboarding.maintenance FOR NO KEY UPDATE SKIP LOCKED;
    IF FOUND THEN UPDATE onboarding.maintenance m SET clock_seen_at = clock_timestamp(); END IF;
END;
$$;

CREATE FUNCTION onboarding.renew_lease(worker_id text, lease_ms integer, calls integer, is_draining boolean) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    t timestamptz := clock_timestamp();
    is_renewed boolean;
BEGIN
    UPDATE onboarding.worker_leases w
    SET last_seen_at = t, lease_expires_at = t + lease_ms * interval '1 ms',
        in_flight = calls, draining = is_draining
    WHERE w.id = worker_id AND w.lease_expires_at > clock_timestamp();
    is_renewed := FOUND;
    PERFORM onboarding.shorten_leases(t);
    RETURN is_renewed;
END;
$$;

CREATE FUNCTION onboarding.repair_blocked(max_jobs integer, INOUT from_id bigint) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET jit TO 'off'
    AS $$
DECLARE
    ended bigint[];
    looked integer;
BEGIN
    SELECT max(b.id), count(*), array_agg(DISTINCT a.id) FILTER (WHERE a.state IN ('completed', 'failed', 'cancelled'))
    INTO from_id, looked, ended
    FROM (
        SELECT j.id, j.after_job_id FROM onboarding.jobs j
        WHERE j.state = 'blocked' AND j.id > coalesce(from_id, 0) ORDER BY j.id LIMIT max_jobs) b
    JOIN onboarding.jobs a ON a.id = b.after_job_id;
    IF ended IS NOT NULL THEN PERFORM onboarding.settle_dependents(ended); END IF;
    IF looked < max_jobs THEN from_id := NULL; END IF;
END;
$$;

CREATE FUNCTION onboarding.repair_ends(max_ends integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    AS $$
DECLARE
    ended bigint[];
    proven bigint[];
BEGIN
    WITH taken AS (
        DELETE FROM onboarding.unsettled_ends u
        WHERE u.ctid = ANY (ARRAY(
            SELECT o.ctid FROM onboarding.unsettled_ends o ORDER BY o.at LIMIT max_ends FOR UPDATE SKIP LOCKED))
        RETURNING u.job_id
    )
    SELECT array_agg(DISTINCT t.job_id) INTO ended FROM taken t;
    IF ended IS NOT NULL THEN
        -- One that is locked may be about to end, by somebody who does not see yet what waits for it.
        INSERT INTO onboarding.unsettled_ends (job_id)
        SELECT j.id FROM onboarding.jobs j
        WHERE j.id = ANY (ended) AND j.state NOT IN ('completed', 'failed', 'cancelled')
          AND NOT EXISTS (SELECT FROM onboarding.unlocked_jobs(ARRAY[j.id]));
        PERFORM onboarding.settle_dependents(ended);
    END IF;
    SELECT array_agg(l.job_id) INTO proven FROM (
        SELECT s.job_id FROM onboarding.jobs j
        JOIN onboarding.late_successes s ON s.job_id = j.id
        WHERE j.state = 'uncertain' LIMIT max_ends) l;
    IF proven IS NOT NULL THEN PERFORM onboarding.settle_late_successes(proven); END IF;
    RETURN coalesce(cardinality(ended), 0) + coalesce(cardinality(proven), 0);
END;
$$;

CREATE FUNCTION onboarding.repair_order_keys(max_keys integer, INOUT from_provider text, INOUT from_key text) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_sort TO 'off'
    AS $$
DECLARE
    place record;
BEGIN
    FOR turn IN 1..max_keys LOOP
        SELECT b.provider, b.order_key INTO place FROM onboarding.jobs b
        WHERE b.is_behind AND b.state IN ('blocked', 'available', 'running', 'waiting', 'uncertain')
          AND (b.provider, b.order_key) > (coalesce(from_provider, ''), coalesce(from_key, ''))
        ORDER BY b.provider, b.order_key, b.id LIMIT 1;
        IF NOT FOUND THEN
            from_provider := NULL; from_key := NULL;
            RETURN;
        END IF;
        from_provider := place.provider; from_key := place.order_key;
        IF onboarding.advance_order_key(place.provider, place.order_key) THEN PERFORM pg_notify('onboarding_jobs', ''); END IF;
    END LOOP;
END;
$$;

CREATE FUNCTION onboarding.repair_restored() RETURNS SETOF text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET jit TO 'off'
    AS $$
DECLARE
    empty text := concat_ws(', ',
        CASE WHEN NOT EXISTS (SELECT FROM onboarding.providers) THEN 'onboarding.providers' END,
        CASE WHEN NOT EXISTS (SELECT FROM onboarding.kinds) THEN 'onboarding.kinds' END,
        CASE WHEN NOT EXISTS (SELECT FROM onboarding.maintenance) THEN 'onboarding.maintenance' END);
    -- Rows of before this installation, beside settings that nobody has touched since it was made.
    unset text := (
        SELECT string_agg(p.provider, ', ' ORDER BY p.provider)
        FROM onboarding.migrations m JOIN onboarding.providers p ON p.updated_at = m.applied_at
        WHERE m.version = 1
          AND EXISTS (SELECT FROM onboarding.provider_events e WHERE e.provider = p.provider AND e.at < m.applied_at));
    place record;
BEGIN
    IF empty <> '' THEN
        RAISE EXCEPTION 'onboarding: no rows are in %: the database was restored without them; restore these rows as well', empty
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    IF unset <> '' THEN
        RAISE EXCEPTION 'onboarding: the pauses and limits of % were not restored: restore the rows of onboarding.providers, '
            'without --disable-triggers, or pause and resume each by hand', unset
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    -- A row, and not an advisory lock, which any login may take and keep.
    PERFORM FROM onboarding.migrations m WHERE m.version = 1 FOR UPDATE;
    FOR place IN
        SELECT format('onboarding.%I', s.name)::regclass AS sequence, s.newest
        FROM (VALUES
            ('jobs_id_seq', (SELECT max(j.id) FROM onboarding.jobs j)),
            ('state_change_ids', (SELECT max(c.id) FROM onboarding.state_changes c)),
            ('provider_events_id_seq', (SELECT max(e.id) FROM onboarding.provider_events e))) AS s (name, newest)
    LOOP
        IF place.newest > coalesce(pg_sequence_last_value(place.sequence), 0) THEN
            PERFORM setval(place.sequence, place.newest);
            RETURN NEXT format('%s was behind its table: it goes on after %s', place.sequence, place.newest);
        END IF;
    END LOOP;
    UPDATE onboarding.maintenance m SET running_since = f.at
    FROM (SELECT onboarding.first_running('-infinity') AS at) AS f WHERE m.running_since > f.at;
    IF FOUND THEN RETURN NEXT 'running jobs were claimed earlier than this database knew: they are looked for again'; END IF;
END;
$$;

CREATE FUNCTION onboarding.resolve(job_id bigint, verdict text, provider_id text DEFAULT NULL::text, note text DEFAULT NULL::text) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    job onboarding.jobs := onboarding.lock_job(job_id);
    new_state text;
BEGIN
    IF job.state <> 'uncertain' THEN
        RAISE EXCEPTION 'onboarding: job % is %; only an uncertain job can be resolved', job.id, job.state
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    IF coalesce(btrim(note), '') = '' THEN
        PERFORM onboarding.refuse('note', 'is needed: say who looked where');
    END IF;
    IF verdict = 'happened' THEN
        IF coalesce(resolve.provider_id !~ (SELECT k.id_pattern FROM onboarding.kinds k WHERE k.kind = job.kind), true) THEN
            PERFORM onboarding.refuse('provider_id', 'is needed with the verdict happened, as the provider writes its ids');
        END IF;
        new_state := 'completed';
        UPDATE onboarding.jobs j
        SET state = 'completed', provider_id = resolve.provider_id, last_outcome = 'adopted', last_error = NULL,
            finished_at = now(), updated_at = now()
        WHERE j.id = job.id;
        PERFORM onboarding.note_shared_ids(ARRAY[job.id]);
    ELSIF verdict = 'did_not_happen' THEN
        new_state := CASE WHEN job.cancel_requested_at IS NULL THEN 'available' ELSE 'cancelled' END;
        UPDATE onboarding.jobs j
        SET state = new_state, backoff_step = 0,
            -- Looked for once more by then, where that is possible: what came after the verdict is found.
            step = CASE WHEN (SELECT k.lost_answer FROM onboarding.kinds k WHERE k.kind = job.kind) = 'none'
                THEN 'create' ELSE 'look_up' END,
            run_at = greatest(now(), onboarding.not_after(job.last_sent_at, now()) + onboarding.effect_horizon(job.provider)),
            first_sent_at = NULL, last_sent_at = NULL, last_create_status = NULL, request_sha256 = NULL,
            denied_at = greatest(job.denied_at, job.last_sent_at), mute_look_ups = 0, mute_since = NULL, attempt = least(j.attempt, j.max_attempts - 1),
            expires_at = CASE WHEN j.expires_at <= now() THEN NULL ELSE j.expires_at END,
            idempotency_key = gen_random_uuid(), updated_at = now(),
            finished_at = CASE WHEN new_state = 'cancelled' THEN now() END
        WHERE j.id = job.id;
        PERFORM pg_notify('onboarding_jobs', '');
    ELSE
        PERFORM onboarding.refuse('verdict', 'must be happened or did_not_happen');
    END IF;
    INSERT INTO onboarding.state_changes (job_id, from_state, to_state, actor, reason, old_key, new_key)
    SELECT job.id, 'uncertain', new_state, session_user, verdict || ': ' || note, job.idempotency_key, j.idempotency_key
    FROM onboarding.jobs j WHERE j.id = job.id;
    PERFORM onboarding.notify_event(job.id, new_state);
    PERFORM onboarding.settle_dependents(ARRAY[job.id]);
    RETURN new_state;
END;
$$;

CREATE FUNCTION onboarding.resolve_jobs(verdicts jsonb, note text) RETURNS TABLE(job_id bigint, state text, problem text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
DECLARE
    item record;
BEGIN
    IF coalesce(jsonb_typeof(verdicts), '') <> 'array' OR jsonb_array_length(verdicts) > 10000 THEN
        PERFORM onboarding.refuse('verdicts', 'must be a JSON array of at most 10000 objects with job_id, verdict and provider_id');
    END IF;
    FOR item IN
        SELECT v.job_id, v.verdict, v.provider_id
        FROM jsonb_to_recordset(verdicts) AS v (job_id bigint, verdict text, provider_id text) ORDER BY v.job_id
    LOOP
        resolve_jobs.job_id := item.job_id; resolve_jobs.state := NULL; resolve_jobs.problem := NULL;
        BEGIN
            resolve_jobs.state := onboarding.resolve(item.job_id, item.verdict, item.provider_id, note);
        EXCEPTION WHEN check_violation OR object_not_in_prerequisite_state OR no_data_found THEN
            resolve_jobs.problem := SQLERRM;
        END;
        RETURN NEXT;
    END LOOP;
END;
$$;

CREATE FUNCTION onboarding.resume_provider(provider text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    p onboarding.providers := onboarding.lock_provider(provider);
BEGIN
    UPDATE onboarding.providers x
    SET paused_until = NULL, pause_reason = NULL, held_until = NULL, adaptive_rate = NULL, throttle_streak = 0,
        circuit_probe_at = CASE WHEN x.circuit = 'closed' THEN NULL ELSE now() END, updated_at = now()
    WHERE x.provider = p.provider;
    INSERT INTO onboarding.provider_events (provider, actor, event) VALUES (p.provider, session_user, 'resumed');
    PERFORM pg_notify('onboarding_jobs', '');
END;
$$;

CREATE FUNCTION onboarding.retry(job_id bigint, reason text DEFAULT NULL::text, payload jsonb DEFAULT NULL::jsonb) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    job onboarding.jobs := onboarding.lock_job(job_id);
    kind onboarding.kinds;
    after_state text;
    new_payload jsonb := coalesce(retry.payload, job.payload);
    -- As text, since that is what is sent: numbers that are equal may be written differently.
    is_new boolean := new_payload::text <> job.payload::text;
    may_exist boolean := onboarding.may_exist(job);
    is_rekeyed boolean := NOT may_exist AND (is_new OR job.last_outcome IN ('rejected', 'invalid_payload'));
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
    PERFORM onboarding.advance_order_keys(ARRAY[job.id]);
    INSERT INTO onboarding.state_changes (job_id, from_state, to_state, actor, reason, old_key, new_key)
    VALUES (job.id, job.state, 'available', session_user, 'retry' || coalesce(': ' || reason, ''), job.idempotency_key, new_key);
    PERFORM pg_notify('onboarding_jobs', '');
    RETURN new_key;
END;
$$;

CREATE FUNCTION onboarding.rotate_keys(job_ids bigint[], tokens bigint[], key_uses text[]) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    UPDATE onboarding.jobs j
    SET idempotency_key = gen_random_uuid()
    FROM unnest(job_ids, tokens, key_uses) AS r (job_id, token, key_use)
    WHERE j.id = r.job_id AND j.claim_token = r.token AND r.key_use = 'new' AND j.state = 'available' AND j.last_sent_at IS NULL;
$$;

CREATE FUNCTION onboarding.same_job(kind text, unique_key text, payload jsonb, parameters jsonb) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    job bigint;
    same boolean;
BEGIN
    SELECT j.id, j.payload = same_job.payload AND j.parameters = same_job.parameters INTO job, same
    FROM onboarding.jobs j WHERE j.kind = same_job.kind AND j.unique_key = same_job.unique_key;
    IF job IS NOT NULL AND same IS NOT TRUE THEN
        RAISE EXCEPTION 'onboarding: unique_key is taken by job % of this kind with another payload or other parameters', job
            USING ERRCODE = 'unique_violation', COLUMN = 'unique_key';
    END IF;
    RETURN job;
END;
$$;

CREATE FUNCTION onboarding.sent_age_ms(last_sent_at timestamp with time zone, t timestamp with time zone, watched_since timestamp with time zone, set_back_at timestamp with time zone) RETURNS bigint
    LANGUAGE sql IMMUTABLE
    AS $$
    SELECT CASE WHEN last_sent_at IS NULL THEN NULL WHEN last_sent_at > t AND last_sent_at > coalesce(set_back_at, t) THEN 0
        ELSE greatest(0, onboarding.milliseconds(t - greatest(CASE WHEN last_sent_at <= t THEN last_sent_at END, watched_since))) END;
$$;

CREATE FUNCTION onboarding.settle_dependents(ended bigint[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    AS $$
DECLARE
    cancelled bigint[];
    released boolean;
BEGIN
    WHILE ended IS NOT NULL LOOP
        WITH free AS (
            SELECT j.id, a.id AS after_id, a.state, a.state = 'completed' OR j.last_sent_at IS NOT NULL AS goes_on
            FROM onboarding.jobs j
            JOIN onboarding.jobs a ON a.id = j.after_job_id AND a.state IN ('completed', 'failed', 'cancelled')
            WHERE j.after_job_id = ANY (ended) AND coalesce(j.state, '') = 'blocked'
            FOR NO KEY UPDATE OF j SKIP LOCKED
        ), settled AS (
            UPDATE onboarding.jobs j
            -- One that is in doubt, in a database from a backup, is looked up before it is cancelled.
            SET state = CASE WHEN f.goes_on THEN 'available' ELSE 'cancelled' END,
                run_at = CASE WHEN f.goes_on THEN greatest(j.run_at, now()) ELSE j.run_at END,
                finished_at = CASE WHEN f.goes_on THEN NULL ELSE now() END,
                cancel_requested_at = CASE WHEN f.state = 'completed' THEN j.cancel_requested_at ELSE now() END,
                last_error = CASE WHEN f.state = 'completed' THEN j.last_error
                    ELSE format('job %s, which this one waits for, ended %s', f.after_id, f.state) END,
                updated_at = now()
            FROM free f
            WHERE j.id = ANY (ARRAY[f.id])
            RETURNING j.id, j.state, j.last_error, f.after_id, f.state AS after_state
        ), logged AS (
            INSERT INTO onboarding.state_changes (job_id, from_state, to_state, actor, reason)
            SELECT s.id, 'blocked', s.state, session_user,
                CASE WHEN s.after_state = 'completed' THEN format('job %s completed', s.after_id) ELSE s.last_error END
            FROM settled s
            RETURNING job_id, to_state
        )
        SELECT array_agg(l.job_id) FILTER (WHERE l.to_state = 'cancelled'), coalesce(bool_or(l.to_state = 'available'), false)
        INTO cancelled, released
        FROM logged l;
        IF released THEN PERFORM onboarding.wake_all(); END IF;
        PERFORM onboarding.notify_event(c.id, 'cancelled') FROM unnest(cancelled) AS c (id);
        INSERT INTO onboarding.unsettled_ends (job_id)
        SELECT DISTINCT a.id
        FROM onboarding.jobs j
        JOIN onboarding.jobs a ON a.id = j.after_job_id AND a.state IN ('completed', 'failed', 'cancelled')
        WHERE j.after_job_id = ANY (ended) AND coalesce(j.state, '') = 'blocked';
        PERFORM onboarding.advance_order_keys(ended);
        ended := cancelled;
    END LOOP;
END;
$$;

CREATE FUNCTION onboarding.settle_late_successes(job_ids bigint[]) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    AS $$
DECLARE
    proven bigint[];
BEGIN
    WITH free AS (
        SELECT j.id FROM onboarding.jobs j
        WHERE j.id = ANY (job_ids) AND coalesce(j.state, '') = 'uncertain'
          AND EXISTS (SELECT 1 FROM onboarding.evidence l WHERE l.job_id = j.id)
        FOR NO KEY UPDATE OF j SKIP LOCKED
    ), evidence AS (
        SELECT DISTINCT ON (l.job_id) l.job_id, l.provider_id, l.provider_status, l.worker
        FROM free f JOIN onboarding.evidence l ON l.job_id = f.id
        ORDER BY l.job_id, l.at DESC
    ), settled AS (
        UPDATE onboarding.jobs j
        SET state = 'completed', provider_id = e.provider_id, provider_status = e.provider_status,
            last_outcome = 'adopted', last_error = NULL, finished_at = now(), updated_at = now()
        FROM evidence e
        WHERE j.id = ANY (ARRAY[e.job_id])
        RETURNING j.id, e.worker
    ), logged AS (
        INSERT INTO onboarding.state_changes (job_id, from_state, to_state, actor, reason)
        SELECT s.id, 'uncertain', 'completed', s.worker, 'late evidence proves the record' FROM settled s
        RETURNING job_id
    )
    SELECT array_agg(l.job_id) FROM logged l CROSS JOIN LATERAL onboarding.notify_event(l.job_id, 'completed') INTO proven;
    IF proven IS NULL THEN RETURN; END IF;
    PERFORM onboarding.note_shared_ids(proven);
    PERFORM onboarding.settle_dependents(proven);
END;
$$;

CREATE FUNCTION onboarding.shorten_leases(t timestamp with time zone) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    UPDATE onboarding.worker_leases w SET lease_expires_at = t + (w.lease_expires_at - w.last_seen_at), last_seen_at = t
    WHERE w.last_seen_at > t + interval '1 s' AND w.lease_expires_at > w.last_seen_at;
$$;

CREATE FUNCTION onboarding.snapshot_holders() RETURNS TABLE(holder text, name text, owner text, state text, since timestamp with time zone, age integer)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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
ORDER BY age DESC;
$$;

CREATE FUNCTION onboarding.state_after(wanted text, is_cancelled boolean, in_doubt boolean) RETURNS text
    LANGUAGE sql IMMUTABLE
    RETURN CASE WHEN (wanted = ANY (ARRAY['completed'::text, 'waiting'::text, 'uncertain'::text])) THEN wanted WHEN in_doubt THEN 'available'::text WHEN is_cancelled THEN 'cancelled'::text ELSE wanted END;

CREATE FUNCTION onboarding.take_over(reaper text, suspects bigint[], max_jobs integer, thoroughly boolean) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    AS $$
DECLARE
    taken integer;
    gone text[];
    since timestamptz := '-infinity';
BEGIN
    IF NOT thoroughly THEN
        gone := ARRAY(SELECT w.id FROM onboarding.worker_leases w WHERE w.lease_expires_at <= clock_timestamp());
        IF gone = '{}' THEN RETURN 0; END IF;
        since := (SELECT m.running_since FROM onboarding.maintenance m);
    END IF;
    WITH lost AS (
        SELECT j.id, j.claimed_by, j.claimed_at,
            -- Whatever the step says: one that cannot be looked up may have been sent.
            (k.lost_answer = 'same_key' OR j.marked_at IS NOT NULL) IS TRUE AS is_sent
        FROM onboarding.providers p
        JOIN onboarding.jobs j ON j.provider = p.provider AND j.claimed_at >= since
        JOIN onboarding.kinds k ON k.kind = j.kind
        WHERE j.state = 'running' AND (thoroughly OR j.claimed_by = ANY (gone)) AND (
            NOT EXISTS (
                SELECT 1 FROM onboarding.worker_leases w WHERE w.id = j.claimed_by AND w.lease_expires_at > clock_timestamp())
            OR (j.claimed_by = reaper AND j.claim_token = ANY (suspects)))
        ORDER BY j.id
        LIMIT max_jobs
        FOR NO KEY UPDATE OF j SKIP LOCKED
    ), freed AS (
        UPDATE onboarding.jobs j
        SET state = 'available', updated_at = now(), lease_expires_at = NULL,
            backoff_step = least(j.backoff_step + 1, 1000),
            attempt = j.attempt - CASE WHEN j.step = 'create' AND NOT l.is_sent THEN 1 ELSE 0 END,
            -- Spread, so that what a worker held does not come back all at once; longer for a job that keeps losing its worker.
            run_at = now() + random() * least(interval '1 s' * 2 ^ least(j.backoff_step, 12), interval '1 hour'),
            last_outcome = 'lost', last_error = 'its worker is gone: taken over',
            first_sent_at = CASE WHEN l.is_sent THEN coalesce(j.first_sent_at, j.claimed_at) ELSE j.first_sent_at END,
            last_sent_at = CASE WHEN l.is_sent THEN clock_timestamp() ELSE j.last_sent_at END,
            last_create_status = CASE WHEN l.is_sent AND j.step = 'create' THEN NULL ELSE j.last_create_status END
        FROM lost l
        WHERE j.id = ANY (ARRAY[l.id])
        RETURNING j.id, j.claim_token, j.claimed_at, j.marked_at, j.idempotency_key, j.attempt, j.step, j.claimed_by,
            j.run_at, j.last_error, j.body_sha256
    ), journal AS (
        INSERT INTO onboarding.attempts (job_id, claim_token, claimed_at, sent_at, idempotency_key, attempt, step,
            worker, outcome, next_state, next_step, next_run_at, reason, body_sha256)
        SELECT f.id, f.claim_token, f.claimed_at, f.marked_at,
            f.idempotency_key, f.attempt, f.step, f.claimed_by, 'lost', 'available', f.step, f.run_at, f.last_error,
            f.body_sha256
        FROM freed f
        ON CONFLICT DO NOTHING
    )
    SELECT count(*) INTO taken FROM freed;
    IF taken > 0 THEN
        PERFORM pg_notify('onboarding_jobs', '');
    ELSE
        DELETE FROM onboarding.worker_leases w
        WHERE w.id = ANY (ARRAY(
            SELECT l.id FROM onboarding.worker_leases l
            WHERE l.lease_expires_at < clock_timestamp() - interval '1 minute' AND l.id <> reaper
              AND NOT onboarding.has_running(l.id)
            FOR UPDATE SKIP LOCKED));
    END IF;
    IF thoroughly THEN
        PERFORM 1 FROM onboarding.maintenance FOR NO KEY UPDATE SKIP LOCKED;
        IF FOUND THEN
            -- A clock that went back leaves running jobs before it.
            UPDATE onboarding.maintenance m SET running_since = f.at
            FROM (SELECT onboarding.first_running('-infinity') AS at) AS f WHERE m.running_since > f.at;
        END IF;
    END IF;
    RETURN taken;
END;
$$;

CREATE FUNCTION onboarding.take_restored_row() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
DECLARE
    columns text := (
        SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_catalog.pg_attribute a
        WHERE a.attrelid = TG_RELID AND a.attnum > 0 AND NOT a.attisdropped);
    replaced bigint;
BEGIN
    EXECUTE format('UPDATE %1$s AS t SET (%2$s) = (SELECT %2$s FROM (SELECT ($1).*) AS r) WHERE t.%3$I = ($1).%3$I',
        TG_RELID::regclass, columns, TG_ARGV[0]) USING NEW;
    GET DIAGNOSTICS replaced = ROW_COUNT;
    IF replaced > 0 THEN RETURN NULL; END IF;
    RETURN NEW;
END;
$_$;

CREATE FUNCTION onboarding.taken_ids(job_ids bigint[], outcomes text[], provider_ids text[]) RETURNS bigint[]
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    SET jit TO 'off'
    AS $$
DECLARE
    repeats boolean := (SELECT count(DISTINCT i) < count(i) FROM unnest(provider_ids) AS p (i));
BEGIN
    RETURN ARRAY(
        SELECT r.job_id
        FROM unnest(job_ids, outcomes, provider_ids) WITH ORDINALITY AS r (job_id, outcome, provider_id, place)
        WHERE r.outcome = 'succeeded' AND (
            (SELECT count(*) FROM onboarding.jobs o
                WHERE o.provider_id = ANY (ARRAY[r.provider_id]) AND o.id <> r.job_id
                  -- No condition of the index: it is asked for only where somebody has the id.
                  AND o.provider IS NOT DISTINCT FROM (SELECT m.provider FROM onboarding.jobs m WHERE m.id = ANY (ARRAY[r.job_id]))) > 0
            OR (repeats AND EXISTS (
                SELECT 1 FROM unnest(job_ids, provider_ids) WITH ORDINALITY AS p (job_id, provider_id, place)
                JOIN onboarding.jobs a ON a.id = p.job_id
                JOIN onboarding.jobs b ON b.id = r.job_id AND b.provider = a.provider
                WHERE p.provider_id = r.provider_id AND p.place < r.place))));
END;
$$;

CREATE FUNCTION onboarding.trial_window(p onboarding.providers, t timestamp with time zone) RETURNS double precision
    LANGUAGE sql IMMUTABLE
    AS $$
    SELECT CASE WHEN p.tried_at BETWEEN t - interval '1 min' AND t + interval '1 s' THEN CASE WHEN p.call_window < 64 THEN p.call_window END
        WHEN p.call_window IS NOT NULL THEN least(p.call_window, 4) END;
$$;

CREATE FUNCTION onboarding.unlocked_jobs(job_ids bigint[]) RETURNS SETOF bigint
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET jit TO 'off'
    AS $$
    SELECT j.id FROM onboarding.jobs j WHERE j.id = ANY (job_ids) FOR NO KEY UPDATE SKIP LOCKED;
$$;

CREATE FUNCTION onboarding.upkeep_failure(step text, code text, problem text) RETURNS jsonb
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT jsonb_build_object('step', step, 'code', code, 'problem', left(problem, 300));
$$;

CREATE FUNCTION onboarding.use_permits(provider_name text, taken integer, probing boolean) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    p onboarding.providers;
    t timestamptz := clock_timestamp();
    pace record;
    is_forgotten boolean;
BEGIN
    SELECT * INTO p FROM onboarding.providers x WHERE x.provider = provider_name;
    SELECT * INTO pace FROM onboarding.pace(p, t);
    is_forgotten := p.adaptive_rate IS NOT NULL AND onboarding.learnt_rate(p, t) IS NULL;
    IF pace.rate IS NULL AND NOT probing AND NOT is_forgotten THEN RETURN; END IF;
    UPDATE onboarding.providers x
    SET rate_due_at = CASE WHEN pace.rate IS NOT NULL THEN greatest(onboarding.booked_until(p, t), t)
            + onboarding.rate_cell(pace.rate, pace.burst) * taken END,
        adaptive_rate = CASE WHEN is_forgotten THEN NULL ELSE x.adaptive_rate END,
        throttle_streak = CASE WHEN is_forgotten THEN 0 ELSE x.throttle_streak END,
        circuit = CASE WHEN probing THEN 'half_open' ELSE x.circuit END,
        circuit_probe_at = CASE WHEN probing THEN t + interval '60 s' ELSE x.circuit_probe_at END
    WHERE x.provider = provider_name;
    IF is_forgotten THEN
        INSERT INTO onboarding.provider_events (provider, actor, event, reason)
        VALUES (provider_name, session_user, 'unthrottled', 'no call was refused for long: no learnt rate any more');
    END IF;
END;
$$;

CREATE FUNCTION onboarding.wake_all() RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT pg_notify('onboarding_jobs', '') WHERE NOT onboarding.is_preparing();
$$;

CREATE FUNCTION onboarding.wake_workers(provider text, already_woken text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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

CREATE FUNCTION onboarding.why(job_id bigint) RETURNS TABLE(reason text, detail text, until timestamp with time zone)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
DECLARE
    job onboarding.jobs;
    p onboarding.providers;
    running bigint;
    in_flight integer;
    pace record;
    rate_free_at timestamptz;
    head record;
BEGIN
    SELECT * INTO job FROM onboarding.jobs j WHERE j.id = why.job_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'onboarding: % is not a job', coalesce(why.job_id::text, 'null') USING ERRCODE = 'no_data_found';
    END IF;
    IF job.state IN ('completed', 'failed', 'cancelled') THEN
        RETURN QUERY SELECT job.state, coalesce(job.last_error, 'it is done'), NULL::timestamptz;
        RETURN QUERY SELECT 'late_evidence', format('worker %s brought later that the provider has it as %s', l.worker, l.provider_id), NULL::timestamptz
            FROM onboarding.late_successes l WHERE l.job_id = job.id AND job.state <> 'completed';
        RETURN;
    ELSIF job.state = 'running' THEN
        IF EXISTS (SELECT 1 FROM onboarding.worker_leases w WHERE w.id = job.claimed_by AND w.lease_expires_at > now()) THEN
            RETURN QUERY SELECT 'running', format('worker %s has had it since %s', job.claimed_by, job.claimed_at), NULL::timestamptz;
            RETURN;
        END IF;
        RETURN QUERY SELECT 'running', format('worker %s had it from %s on and is gone: another takes it over', job.claimed_by, job.claimed_at), NULL::timestamptz;
        IF NOT EXISTS (SELECT 1 FROM onboarding.worker_leases w WHERE w.lease_expires_at > now()) THEN
            RETURN QUERY SELECT 'no_worker', 'no worker is alive to take it over: is one running?', NULL::timestamptz;
        END IF;
        RETURN;
    ELSIF job.state = 'uncertain' THEN
        RETURN QUERY SELECT 'uncertain', 'waits for resolve(' || job.id || ', ''happened'' or ''did_not_happen'', …)', NULL::timestamptz;
        RETURN;
    END IF;
    IF job.state = 'blocked' THEN
        RETURN QUERY SELECT 'blocked', format('waits for job %s, which is %s', a.id, a.state), NULL::timestamptz
            FROM onboarding.jobs a WHERE a.id = job.after_job_id;
    END IF;
    IF job.run_at > now() THEN RETURN QUERY SELECT 'not_due', 'not claimed before run_at', job.run_at; END IF;
    IF job.expires_at <= now() THEN RETURN QUERY SELECT 'expired', 'no attempt starts after expires_at', NULL::timestamptz; END IF;
    SELECT * INTO p FROM onboarding.providers x WHERE x.provider = job.provider;
    IF p.paused_until > now() THEN
        RETURN QUERY SELECT 'paused', coalesce('provider paused: ' || p.pause_reason, 'provider paused'), p.paused_until;
    END IF;
    IF onboarding.hold_end(p, clock_timestamp()) > now() THEN
        RETURN QUERY SELECT 'held', format('the provider refuses calls for now, %s times in a row', greatest(p.throttle_streak, 1)), p.held_until;
    END IF;
    IF p.circuit <> 'closed' THEN
        RETURN QUERY SELECT 'circuit_open', p.circuit_reason, p.circuit_probe_at;
    END IF;
    in_flight := least(p.max_in_flight, floor(onboarding.trial_window(p, clock_timestamp())));
    IF in_flight IS NOT NULL THEN
        SELECT count(*) INTO running FROM onboarding.jobs j WHERE j.provider = job.provider AND j.state = 'running';
        IF running >= in_flight THEN
            RETURN QUERY SELECT 'concurrency_limit', format('%s of %s calls are in flight', running, in_flight)
                || CASE WHEN in_flight < coalesce(p.max_in_flight, in_flight + 1) THEN ': more when some have ended well' ELSE '' END, NULL::timestamptz;
        END IF;
    END IF;
    -- When the next call is allowed, as `permits` reckons: a burst may be ahead of its time.
    SELECT * INTO pace FROM onboarding.pace(p, clock_timestamp());
    rate_free_at := onboarding.booked_until(p, clock_timestamp()) - onboarding.rate_cell(pace.rate, pace.burst) * (pace.burst - 1);
    IF rate_free_at > now() THEN
        RETURN QUERY SELECT 'rate_limit', format('%s calls a second are used up', pace.rate::numeric(10, 3)::double precision)
            || CASE WHEN pace.rate IS DISTINCT FROM p.rate_per_second THEN ': the provider refused more' ELSE '' END, rate_free_at;
    END IF;
    IF job.order_key IS NOT NULL THEN
        FOR head IN
            SELECT o.id, o.state FROM onboarding.jobs o
            WHERE o.provider = job.provider AND o.order_key = job.order_key AND o.id <> job.id
              AND o.state IN ('blocked', 'available', 'running', 'waiting', 'uncertain')
              AND (o.id < job.id OR o.state = 'running')
            ORDER BY o.id LIMIT 1
        LOOP
            RETURN QUERY SELECT 'order', format('job %s of the same order_key is %s', head.id, head.state), NULL::timestamptz;
        END LOOP;
        IF NOT FOUND AND job.is_behind THEN
            RETURN QUERY SELECT 'order', 'the job before it of the same order_key has ended: it is let go within seconds', NULL::timestamptz;
        END IF;
    END IF;
    IF NOT EXISTS (SELECT 1 FROM onboarding.worker_leases w WHERE w.lease_expires_at > now() AND job.provider = ANY (w.providers)) THEN
        RETURN QUERY SELECT 'no_worker', format('no live worker serves %s: is one running, with its credentials?', job.provider), NULL::timestamptz;
    END IF;
END;
$$;

CREATE TABLE onboarding.attempts (
    job_id bigint NOT NULL,
    claim_token bigint NOT NULL,
    claimed_at timestamp with time zone NOT NULL,
    sent_at timestamp with time zone,
    finished_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    next_run_at timestamp with time zone,
    idempotency_key uuid NOT NULL,
    http_status integer,
    attempt smallint NOT NULL,
    late boolean DEFAULT false NOT NULL,
    step text NOT NULL,
    worker text NOT NULL,
    outcome text NOT NULL,
    next_state text,
    next_step text,
    provider_id text,
    provider_status text,
    request_id text,
    error text,
    reason text,
    body_sha256 bytea
)
PARTITION BY RANGE (claimed_at);

CREATE TABLE onboarding.attempts_first (
    job_id bigint NOT NULL,
    claim_token bigint NOT NULL,
    claimed_at timestamp with time zone NOT NULL,
    sent_at timestamp with time zone,
    finished_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    next_run_at timestamp with time zone,
    idempotency_key uuid NOT NULL,
    http_status integer,
    attempt smallint NOT NULL,
    late boolean DEFAULT false NOT NULL,
    step text NOT NULL,
    worker text NOT NULL,
    outcome text NOT NULL,
    next_state text,
    next_step text,
    provider_id text,
    provider_status text,
    request_id text,
    error text,
    reason text,
    body_sha256 bytea
)
WITH (fillfactor='100', autovacuum_vacuum_insert_scale_factor='0.1');

CREATE TABLE onboarding.attempts_rest (
    job_id bigint NOT NULL,
    claim_token bigint NOT NULL,
    claimed_at timestamp with time zone NOT NULL,
    sent_at timestamp with time zone,
    finished_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    next_run_at timestamp with time zone,
    idempotency_key uuid NOT NULL,
    http_status integer,
    attempt smallint NOT NULL,
    late boolean DEFAULT false NOT NULL,
    step text NOT NULL,
    worker text NOT NULL,
    outcome text NOT NULL,
    next_state text,
    next_step text,
    provider_id text,
    provider_status text,
    request_id text,
    error text,
    reason text,
    body_sha256 bytea
);

CREATE TABLE onboarding.backlog (
    provider text NOT NULL,
    due bigint,
    scheduled bigint,
    waiting bigint,
    uncertain bigint,
    blocked bigint,
    counted_at timestamp with time zone NOT NULL
);

CREATE VIEW onboarding.customers AS
 SELECT j.provider,
    j.kind,
    j.provider_id,
    j.reference,
    j.provider_status AS status,
    j.decision,
    j.finished_at AS created_at,
    j.id AS job_id
   FROM onboarding.jobs j
  WHERE ((j.state = ANY (ARRAY['completed'::text, 'waiting'::text])) AND (j.provider_id IS NOT NULL));

CREATE TABLE onboarding.late_successes (
    job_id bigint NOT NULL,
    claim_token bigint NOT NULL,
    provider_id text NOT NULL,
    provider_status text,
    worker text NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

CREATE TABLE onboarding.shared_ids (
    job_id bigint NOT NULL,
    other_job_id bigint NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

CREATE VIEW onboarding.doubles AS
 SELECT 'second_record'::text AS double,
    j.kind,
    j.id AS job_id,
    NULL::bigint AS other_job_id,
    j.reference,
    j.provider_id,
    l.provider_id AS other_provider_id,
    l.at AS since,
    format('worker %s brought a second record of job %s'::text, l.worker, j.id) AS reason
   FROM (onboarding.late_successes l
     JOIN onboarding.jobs j ON ((j.id = l.job_id)))
  WHERE (j.provider_id <> l.provider_id)
UNION ALL
 SELECT 'shared_id'::text AS double,
    j.kind,
    j.id AS job_id,
    o.id AS other_job_id,
    j.reference,
    j.provider_id,
    o.provider_id AS other_provider_id,
    s.at AS since,
    format('jobs %s and %s have the same record'::text, j.id, o.id) AS reason
   FROM ((onboarding.shared_ids s
     JOIN onboarding.jobs j ON ((j.id = s.job_id)))
     JOIN onboarding.jobs o ON ((o.id = s.other_job_id)))
  WHERE (j.provider_id = o.provider_id);

CREATE TABLE onboarding.ended (
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    provider text NOT NULL,
    completed bigint NOT NULL,
    failed bigint NOT NULL
);

ALTER TABLE ONLY onboarding.ended REPLICA IDENTITY FULL;

CREATE TABLE onboarding.ended_by_minute (
    minute timestamp with time zone NOT NULL,
    provider text NOT NULL,
    completed bigint NOT NULL,
    failed bigint NOT NULL
);

CREATE VIEW onboarding.evidence AS
 SELECT l.job_id,
    l.claim_token,
    l.provider_id,
    l.provider_status,
    l.worker,
    l.at
   FROM onboarding.late_successes l
  WHERE (NOT (EXISTS ( SELECT 1
           FROM onboarding.jobs o
          WHERE ((o.provider_id = l.provider_id) AND (o.id <> l.job_id) AND (o.provider = ( SELECT j.provider
                   FROM onboarding.jobs j
                  WHERE (j.id = l.job_id)))))));

CREATE VIEW onboarding.failed_jobs AS
 SELECT j.id AS job_id,
    j.kind,
    j.reference,
    j.finished_at AS failed_at,
    j.attempt,
    j.last_outcome,
    j.last_http_status,
    j.last_error AS reason,
    format(
        CASE
            WHEN (j.last_outcome = ANY (ARRAY['rejected'::text, 'invalid_payload'::text])) THEN 'SELECT onboarding.retry(%s, ''<why>'', payload => ''<corrected payload>'');'::text
            ELSE 'SELECT onboarding.retry(%s, ''<why>'');'::text
        END, j.id) AS statement
   FROM onboarding.jobs j
  WHERE (j.state = 'failed'::text);

ALTER TABLE onboarding.jobs ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME onboarding.jobs_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE onboarding.kinds (
    kind text NOT NULL,
    provider text NOT NULL,
    fields jsonb DEFAULT '{}'::jsonb NOT NULL,
    lost_answer text NOT NULL,
    parameters text[] DEFAULT '{}'::text[] NOT NULL,
    parent_kind text,
    parent_parameter text,
    keep_finished interval,
    id_pattern text DEFAULT '^(?=.*[0-9]|.{20})(?![0xX-]*$)(?![fF-]*$)[A-Za-z0-9][A-Za-z0-9._:~-]{0,254}$'::text NOT NULL,
    CONSTRAINT kinds_keep_finished_a_day CHECK ((keep_finished >= '1 day'::interval)),
    CONSTRAINT kinds_lost_answer_known CHECK ((lost_answer = ANY (ARRAY['same_key'::text, 'look_up'::text, 'none'::text]))),
    CONSTRAINT kinds_named_by_provider CHECK ((provider = split_part(kind, '.'::text, 1)))
);

CREATE SEQUENCE onboarding.last_wakeup_axisfi
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

CREATE SEQUENCE onboarding.last_wakeup_connect
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

CREATE SEQUENCE onboarding.last_wakeup_iron
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

CREATE SEQUENCE onboarding.last_wakeup_juicyway
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

CREATE TABLE onboarding.maintenance (
    is_only_row boolean DEFAULT true NOT NULL,
    keep_history interval,
    last_run_at timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL,
    counted_until timestamp with time zone,
    running_since timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL,
    clock_watched_since timestamp with time zone,
    clock_seen_at timestamp with time zone,
    clock_set_back_at timestamp with time zone,
    CONSTRAINT maintenance_is_only_row_check CHECK (is_only_row),
    CONSTRAINT maintenance_keep_history_check CHECK ((keep_history >= '31 days'::interval))
);

CREATE TABLE onboarding.migrations (
    version integer NOT NULL,
    name text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE onboarding.provider_events (
    id bigint NOT NULL,
    provider text NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    actor text NOT NULL,
    event text NOT NULL,
    reason text
);

ALTER TABLE onboarding.provider_events ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME onboarding.provider_events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE VIEW onboarding.queue_health AS
 SELECT q.provider,
    q.due,
    q.scheduled,
    q.running,
    q.waiting,
    q.uncertain,
    q.blocked,
    q.completed_last_hour,
    q.failed_last_hour,
    q.oldest_due_age_seconds,
    COALESCE((p.paused_until > now()), false) AS paused,
    p.circuit,
    p.circuit_reason,
        CASE
            WHEN (onboarding.hold_end(p.*, clock_timestamp()) > now()) THEN p.held_until
            ELSE NULL::timestamp with time zone
        END AS held_until,
    onboarding.learnt_rate(p.*, clock_timestamp()) AS adaptive_rate
   FROM (onboarding.queue_counts() q(provider, due, scheduled, running, waiting, uncertain, blocked, completed_last_hour, failed_last_hour, oldest_due_age_seconds)
     JOIN onboarding.providers p ON ((p.provider = q.provider)));

CREATE TABLE onboarding.retention_places (
    kind text NOT NULL,
    finished_at timestamp with time zone NOT NULL,
    job_id bigint NOT NULL
);

CREATE SEQUENCE onboarding.state_change_ids
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

CREATE TABLE onboarding.state_changes (
    id bigint DEFAULT nextval('onboarding.state_change_ids'::regclass) NOT NULL,
    job_id bigint NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    from_state text NOT NULL,
    to_state text NOT NULL,
    actor text NOT NULL,
    reason text,
    old_key uuid,
    new_key uuid
)
PARTITION BY RANGE (at);

CREATE TABLE onboarding.state_changes_first (
    id bigint DEFAULT nextval('onboarding.state_change_ids'::regclass) NOT NULL,
    job_id bigint NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    from_state text NOT NULL,
    to_state text NOT NULL,
    actor text NOT NULL,
    reason text,
    old_key uuid,
    new_key uuid
);

CREATE TABLE onboarding.state_changes_rest (
    id bigint DEFAULT nextval('onboarding.state_change_ids'::regclass) NOT NULL,
    job_id bigint NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    from_state text NOT NULL,
    to_state text NOT NULL,
    actor text NOT NULL,
    reason text,
    old_key uuid,
    new_key uuid
);

CREATE VIEW onboarding.transitions AS
 SELECT j.id AS job_id,
    NULL::text AS from_state,
        CASE
            WHEN ((j.state = 'blocked'::text) OR (EXISTS ( SELECT 1
               FROM onboarding.state_changes s
              WHERE ((s.job_id = j.id) AND (s.from_state = 'blocked'::text))))) THEN 'blocked'::text
            ELSE 'available'::text
        END AS to_state,
    j.created_at AS at,
    'caller'::text AS actor,
    'enqueued'::text AS reason
   FROM onboarding.jobs j
UNION ALL
 SELECT a.job_id,
    'available'::text AS from_state,
    'running'::text AS to_state,
    a.claimed_at AS at,
    a.worker AS actor,
    'claimed'::text AS reason
   FROM onboarding.attempts a
  WHERE (NOT a.late)
UNION ALL
 SELECT a.job_id,
    'running'::text AS from_state,
    a.next_state AS to_state,
    a.finished_at AS at,
    a.worker AS actor,
    a.reason
   FROM onboarding.attempts a
  WHERE (NOT a.late)
UNION ALL
 SELECT j.id AS job_id,
    'available'::text AS from_state,
    'running'::text AS to_state,
    j.claimed_at AS at,
    j.claimed_by AS actor,
    'claimed'::text AS reason
   FROM onboarding.jobs j
  WHERE (j.state = 'running'::text)
UNION ALL
 SELECT s.job_id,
    s.from_state,
    s.to_state,
    s.at,
    s.actor,
    s.reason
   FROM onboarding.state_changes s
  WHERE (s.from_state <> s.to_state);

CREATE VIEW onboarding.uncertain_jobs AS
 SELECT j.id AS job_id,
    j.kind,
    j.reference,
    j.updated_at AS since,
    j.attempt,
    j.last_outcome,
    j.last_http_status,
    j.last_error AS reason,
    format('SELECT onboarding.resolve(%s, ''happened'', ''<id at the provider>'', ''<who looked where>''); -- or: SELECT onboarding.resolve(%s, ''did_not_happen'', note => ''<who looked where>'');'::text, j.id, j.id) AS statement
   FROM onboarding.jobs j
  WHERE (j.state = 'uncertain'::text);

CREATE TABLE onboarding.unsettled_ends (
    job_id bigint NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

ALTER TABLE ONLY onboarding.unsettled_ends REPLICA IDENTITY FULL;

CREATE TABLE onboarding.upkeep_failures (
    step text NOT NULL,
    since timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    last_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    code text NOT NULL,
    problem text NOT NULL
);

CREATE VIEW onboarding.vacuum_horizon AS
 SELECT h.holder,
    h.name,
    h.owner,
    h.state,
    h.since,
    h.age
   FROM onboarding.snapshot_holders() h(holder, name, owner, state, since, age);

CREATE TABLE onboarding.worker_leases (
    id text NOT NULL,
    host text NOT NULL,
    version text NOT NULL,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    last_seen_at timestamp with time zone DEFAULT now() NOT NULL,
    lease_expires_at timestamp with time zone NOT NULL,
    in_flight integer DEFAULT 0 NOT NULL,
    concurrency integer NOT NULL,
    draining boolean DEFAULT false NOT NULL,
    providers text[] NOT NULL,
    call_timeout interval DEFAULT '00:00:00'::interval NOT NULL
)
WITH (fillfactor='50', autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='200');

CREATE VIEW onboarding.workers AS
 SELECT w.id,
    w.host,
    w.version,
    w.started_at,
    w.last_seen_at,
    w.lease_expires_at,
    w.in_flight,
    w.concurrency,
    w.draining,
    w.providers
   FROM onboarding.worker_leases w
  WHERE (w.lease_expires_at > now());

ALTER TABLE ONLY onboarding.attempts ATTACH PARTITION onboarding.attempts_first FOR VALUES FROM (MINVALUE) TO ('the month after the migration');

ALTER TABLE ONLY onboarding.attempts ATTACH PARTITION onboarding.attempts_rest DEFAULT;

ALTER TABLE ONLY onboarding.state_changes ATTACH PARTITION onboarding.state_changes_first FOR VALUES FROM (MINVALUE) TO ('the month after the migration');

ALTER TABLE ONLY onboarding.state_changes ATTACH PARTITION onboarding.state_changes_rest DEFAULT;

ALTER TABLE ONLY onboarding.attempts
    ADD CONSTRAINT attempts_pkey PRIMARY KEY (job_id, claim_token, late, claimed_at);

ALTER TABLE ONLY onboarding.attempts_first
    ADD CONSTRAINT attempts_first_pkey PRIMARY KEY (job_id, claim_token, late, claimed_at);

ALTER TABLE ONLY onboarding.attempts_rest
    ADD CONSTRAINT attempts_rest_pkey PRIMARY KEY (job_id, claim_token, late, claimed_at);

ALTER TABLE ONLY onboarding.backlog
    ADD CONSTRAINT backlog_pkey PRIMARY KEY (provider);

ALTER TABLE ONLY onboarding.ended_by_minute
    ADD CONSTRAINT ended_by_minute_pkey PRIMARY KEY (minute, provider);

ALTER TABLE ONLY onboarding.jobs
    ADD CONSTRAINT jobs_pkey PRIMARY KEY (id);

ALTER TABLE ONLY onboarding.kinds
    ADD CONSTRAINT kinds_pkey PRIMARY KEY (kind);

ALTER TABLE ONLY onboarding.late_successes
    ADD CONSTRAINT late_successes_pkey PRIMARY KEY (job_id, claim_token);

ALTER TABLE ONLY onboarding.maintenance
    ADD CONSTRAINT maintenance_pkey PRIMARY KEY (is_only_row);

ALTER TABLE ONLY onboarding.migrations
    ADD CONSTRAINT migrations_pkey PRIMARY KEY (version);

ALTER TABLE ONLY onboarding.provider_events
    ADD CONSTRAINT provider_events_pkey PRIMARY KEY (id);

ALTER TABLE ONLY onboarding.providers
    ADD CONSTRAINT providers_pkey PRIMARY KEY (provider);

ALTER TABLE ONLY onboarding.retention_places
    ADD CONSTRAINT retention_places_pkey PRIMARY KEY (kind);

ALTER TABLE ONLY onboarding.shared_ids
    ADD CONSTRAINT shared_ids_pkey PRIMARY KEY (job_id, other_job_id);

ALTER TABLE ONLY onboarding.state_changes
    ADD CONSTRAINT state_changes_pkey PRIMARY KEY (id, at);

ALTER TABLE ONLY onboarding.state_changes_first
    ADD CONSTRAINT state_changes_first_pkey PRIMARY KEY (id, at);

ALTER TABLE ONLY onboarding.state_changes_rest
    ADD CONSTRAINT state_changes_rest_pkey PRIMARY KEY (id, at);

ALTER TABLE ONLY onboarding.upkeep_failures
    ADD CONSTRAINT upkeep_failures_pkey PRIMARY KEY (step);

ALTER TABLE ONLY onboarding.worker_leases
    ADD CONSTRAINT worker_leases_pkey PRIMARY KEY (id);

CREATE INDEX attempts_rest_claimed_at_idx ON onboarding.attempts_rest USING btree (claimed_at);

CREATE INDEX ended_at_idx ON onboarding.ended USING btree (at);

CREATE INDEX jobs_after_idx ON onboarding.jobs USING btree (after_job_id) WHERE (after_job_id IS NOT NULL);

CREATE INDEX jobs_attention_idx ON onboarding.jobs USING btree (state, id) WHERE (state = ANY (ARRAY['uncertain'::text, 'failed'::text, 'waiting'::text]));

CREATE INDEX jobs_behind_idx ON onboarding.jobs USING btree (provider, order_key, id) WHERE (is_behind AND (state = ANY (ARRAY['blocked'::text, 'available'::text, 'running'::text, 'waiting'::text, 'uncertain'::text])));

CREATE INDEX jobs_blocked_id_idx ON onboarding.jobs USING btree (id) WHERE (state = 'blocked'::text);

CREATE INDEX jobs_blocked_idx ON onboarding.jobs USING btree (provider) WHERE (state = 'blocked'::text);

CREATE INDEX jobs_claim_idx ON onboarding.jobs USING btree (provider, priority, run_at, id) WHERE ((state = 'available'::text) AND (NOT is_behind));

CREATE INDEX jobs_expiry_idx ON onboarding.jobs USING btree (expires_at) WHERE ((expires_at IS NOT NULL) AND (state = 'available'::text) AND (last_sent_at IS NULL));

CREATE INDEX jobs_finished_idx ON onboarding.jobs USING btree (finished_at, provider, state) WHERE (finished_at IS NOT NULL);

CREATE UNIQUE INDEX jobs_idempotency_key_idx ON onboarding.jobs USING btree (idempotency_key);

CREATE INDEX jobs_order_idx ON onboarding.jobs USING btree (provider, order_key, id) WHERE ((order_key IS NOT NULL) AND (state = ANY (ARRAY['blocked'::text, 'available'::text, 'running'::text, 'waiting'::text, 'uncertain'::text])));

CREATE UNIQUE INDEX jobs_order_running_idx ON onboarding.jobs USING btree (provider, order_key) WHERE ((order_key IS NOT NULL) AND (state = 'running'::text));

CREATE UNIQUE INDEX jobs_provider_id_key ON onboarding.jobs USING btree (provider_id, provider, (
CASE
    WHEN (last_outcome = 'succeeded'::text) THEN (0)::bigint
    ELSE id
END)) WHERE (provider_id IS NOT NULL);

CREATE INDEX jobs_reference_idx ON onboarding.jobs USING btree (reference) WHERE (reference IS NOT NULL);

CREATE INDEX jobs_running_idx ON onboarding.jobs USING btree (provider, claimed_at) WHERE (state = 'running'::text);

CREATE UNIQUE INDEX jobs_unique_key_idx ON onboarding.jobs USING btree (kind, unique_key) WHERE (unique_key IS NOT NULL);

CREATE INDEX shared_ids_other_idx ON onboarding.shared_ids USING btree (other_job_id);

CREATE INDEX state_changes_job_idx ON ONLY onboarding.state_changes USING btree (job_id, at);

CREATE INDEX state_changes_first_job_idx ON onboarding.state_changes_first USING btree (job_id, at);

CREATE INDEX state_changes_rest_at_idx ON onboarding.state_changes_rest USING btree (at);

CREATE INDEX state_changes_rest_job_id_at_idx ON onboarding.state_changes_rest USING btree (job_id, at);

CREATE INDEX unsettled_ends_at_idx ON onboarding.unsettled_ends USING btree (at);

ALTER INDEX onboarding.attempts_pkey ATTACH PARTITION onboarding.attempts_first_pkey;

ALTER INDEX onboarding.attempts_pkey ATTACH PARTITION onboarding.attempts_rest_pkey;

ALTER INDEX onboarding.state_changes_job_idx ATTACH PARTITION onboarding.state_changes_first_job_idx;

ALTER INDEX onboarding.state_changes_pkey ATTACH PARTITION onboarding.state_changes_first_pkey;

ALTER INDEX onboarding.state_changes_job_idx ATTACH PARTITION onboarding.state_changes_rest_job_id_at_idx;

ALTER INDEX onboarding.state_changes_pkey ATTACH PARTITION onboarding.state_changes_rest_pkey;

CREATE CONSTRAINT TRIGGER jobs_check_dependent AFTER INSERT ON onboarding.jobs DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((new.state = 'blocked'::text) AND (new.created_at >= now()))) EXECUTE FUNCTION onboarding.check_dependent();

CREATE TRIGGER jobs_check_new BEFORE INSERT ON onboarding.jobs FOR EACH ROW EXECUTE FUNCTION onboarding.check_new_job();

CREATE CONSTRAINT TRIGGER jobs_check_order AFTER INSERT ON onboarding.jobs DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN ((new.is_behind AND (new.created_at >= now()))) EXECUTE FUNCTION onboarding.check_order();

CREATE TRIGGER jobs_legal_transition AFTER UPDATE OF state ON onboarding.jobs FOR EACH ROW WHEN (((old.state <> new.state) AND (NOT
        CASE old.state
            WHEN 'available'::text THEN (new.state = ANY (ARRAY['running'::text, 'cancelled'::text, 'failed'::text]))
            WHEN 'running'::text THEN (new.state = ANY (ARRAY['completed'::text, 'available'::text, 'waiting'::text, 'uncertain'::text, 'failed'::text, 'cancelled'::text]))
            WHEN 'blocked'::text THEN (new.state = ANY (ARRAY['available'::text, 'cancelled'::text]))
            WHEN 'waiting'::text THEN (new.state = ANY (ARRAY['running'::text, 'completed'::text, 'failed'::text, 'cancelled'::text]))
            WHEN 'uncertain'::text THEN (new.state = ANY (ARRAY['completed'::text, 'available'::text, 'cancelled'::text]))
            WHEN 'failed'::text THEN (new.state = 'available'::text)
            WHEN 'cancelled'::text THEN (new.state = 'available'::text)
            ELSE false
        END))) EXECUTE FUNCTION onboarding.refuse_illegal_transition();

CREATE CONSTRAINT TRIGGER jobs_notify AFTER INSERT ON onboarding.jobs DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((new.state = 'available'::text) AND (NOT new.is_behind) AND (new.run_at <= clock_timestamp()))) EXECUTE FUNCTION onboarding.notify_jobs();

CREATE TRIGGER kinds_take_restored BEFORE INSERT ON onboarding.kinds FOR EACH ROW EXECUTE FUNCTION onboarding.take_restored_row('kind');

CREATE TRIGGER maintenance_take_restored BEFORE INSERT ON onboarding.maintenance FOR EACH ROW EXECUTE FUNCTION onboarding.take_restored_row('is_only_row');

CREATE TRIGGER migrations_take_restored BEFORE INSERT ON onboarding.migrations FOR EACH ROW EXECUTE FUNCTION onboarding.take_restored_row('version');

CREATE TRIGGER providers_take_restored BEFORE INSERT ON onboarding.providers FOR EACH ROW EXECUTE FUNCTION onboarding.take_restored_row('provider');

CREATE TRIGGER state_changes_count_end AFTER INSERT ON onboarding.state_changes FOR EACH ROW WHEN (((new.to_state = ANY (ARRAY['completed'::text, 'failed'::text])) AND (new.at >= now()))) EXECUTE FUNCTION onboarding.count_end();

ALTER TABLE ONLY onboarding.jobs
    ADD CONSTRAINT jobs_after_job_known FOREIGN KEY (after_job_id) REFERENCES onboarding.jobs(id);

ALTER TABLE ONLY onboarding.kinds
    ADD CONSTRAINT kinds_provider_fkey FOREIGN KEY (provider) REFERENCES onboarding.providers(provider);

ALTER TABLE ONLY onboarding.provider_events
    ADD CONSTRAINT provider_events_provider_fkey FOREIGN KEY (provider) REFERENCES onboarding.providers(provider);

ALTER TABLE ONLY onboarding.retention_places
    ADD CONSTRAINT retention_places_kind_fkey FOREIGN KEY (kind) REFERENCES onboarding.kinds(kind) ON DELETE CASCADE;

GRANT USAGE ON SCHEMA onboarding TO onboarding_enqueuer;
GRANT USAGE ON SCHEMA onboarding TO onboarding_worker;
GRANT USAGE ON SCHEMA onboarding TO onboarding_operator;
GRANT USAGE ON SCHEMA onboarding TO onboarding_monitor;

REVOKE ALL ON FUNCTION onboarding.add_partition(parent text, month timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.advance_order_key(provider_name text, key text) FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.advance_order_keys(job_ids bigint[]) FROM PUBLIC;

GRANT SELECT ON TABLE onboarding.providers TO onboarding_operator;
GRANT SELECT ON TABLE onboarding.providers TO onboarding_monitor;
GRANT SELECT ON TABLE onboarding.providers TO onboarding_worker;

GRANT UPDATE(max_in_flight) ON TABLE onboarding.providers TO onboarding_operator;

GRANT UPDATE(rate_per_second) ON TABLE onboarding.providers TO onboarding_operator;

GRANT UPDATE(burst) ON TABLE onboarding.providers TO onboarding_operator;

GRANT UPDATE(effect_horizon) ON TABLE onboarding.providers TO onboarding_operator;

REVOKE ALL ON FUNCTION onboarding.allowance(p onboarding.providers, wanted integer, t timestamp with time zone, OUT allowed integer, OUT hint text, OUT wait_ms integer, OUT probing boolean) FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.announce(job_ids bigint[], states text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION onboarding.announce(job_ids bigint[], states text[]) TO onboarding_worker;

REVOKE ALL ON FUNCTION onboarding.booked_until(p onboarding.providers, t timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.cancel(job_id bigint, reason text) FROM PUBLIC;
GRANT ALL ON FUNCTION onboarding.cancel(job_id bigint, reason text) TO onboarding_operator;

REVOKE ALL ON FUNCTION onboarding.check_dependent() FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.check_fields(kind_name text, rules jsonb, body jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.check_new_job() FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.check_order() FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.check_payload(kind_name text, body jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.claim(worker_id text, provider_name text, wanted integer, byte_budget bigint, single_budget bigint, lease_ms integer, from_priority smallint[], from_run_at timestamp with time zone[], from_id bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION onboarding.claim(worker_id text, provider_name text, wanted integer, byte_budget bigint, single_budget bigint, lease_ms integer, from_priority smallint[], from_run_at timestamp with time zone[], from_id bigint[]) TO onboarding_worker;

REVOKE ALL ON FUNCTION onboarding.claim_turn(provider_name text, wanted integer) FROM PUBLIC;
GRANT ALL ON FUNCTION onboarding.claim_turn(provider_name text, wanted integer) TO onboarding_worker;

REVOKE ALL ON FUNCTION onboarding.complete(job_ids bigint[], tokens bigint[], workers text[], claimed_ats text[], attempt_numbers smallint[], did_steps text[], outcomes text[], states text[], next_steps text[], delays_ms bigint[], counted boolean[], reached boolean[], proven boolean[], key_uses text[], mute_counts integer[], http_statuses integer[], request_ids text[], provider_ids text[], provider_statuses text[], errors text[], reasons text[], sent_ages_ms bigint[], holds_ms bigint[], keys text[], digests bytea[], request_digests bytea[]) FROM PUBLIC;
GRANT ALL ON FUNCTION onboarding.complete(job_ids bigint[], tokens bigint[], workers text[], claimed_ats text[], attempt_numbers smallint[], did_steps text[], outcomes text[], states text[], next_steps text[], delays_ms bigint[], counted boolean[], reached boolean[], proven boolean[], key_uses text[], mute_counts integer[], http_statuses integer[], request_ids text[], provider_ids text[], provider_statuses text[], errors text[], reasons text[], sent_ages_ms bigint[], holds_ms bigint[], keys text[], digests bytea[], request_digests bytea[]) TO onboarding_worker;

REVOKE ALL ON FUNCTION onboarding.count_backlog(at_most bigint) FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.count_end() FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.count_ended() FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.count_whole_backlog() FROM PUBLIC;
GRANT ALL ON FUNCTION onboarding.count_whole_backlog() TO onboarding_worker;
GRANT ALL ON FUNCTION onboarding.count_whole_backlog() TO onboarding_operator;

REVOKE ALL ON FUNCTION onboarding.counted_at_once() FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.delete_finished(max_jobs integer, OUT deleted integer, OUT failures jsonb[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.delete_jobs(job_ids bigint[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.doubt_unfinished(provider text, reason text) FROM PUBLIC;
GRANT ALL ON FUNCTION onboarding.doubt_unfinished(provider text, reason text) TO onboarding_operator;

REVOKE ALL ON FUNCTION onboarding.drop_history(keep interval, OUT dropped integer, OUT failures jsonb[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.effect_horizon(provider_name text) FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.enqueue(kind text, payload jsonb, reference text, unique_key text, parameters jsonb, priority integer, run_at timestamp with time zone, expires_at timestamp with time zone, after_job_id bigint, order_key text, follow text, max_attempts integer, traceparent text, idempotency_key uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION onboarding.enqueue(kind text, payload jsonb, reference text, unique_key text, parameters jsonb, priority integer, run_at timestamp with time zone, expires_at timestamp with time zone, after_job_id bigint, order_key text, follow text, max_attempts integer, traceparent text, idempotency_key uuid) TO onboarding_enqueuer;

REVOKE ALL ON FUNCTION onboarding.expire_jobs(max_jobs integer) FROM PUBLIC;
GRANT ALL ON FUNCTION onboarding.expire_jobs(max_jobs integer) TO onboarding_worker;

REVOKE ALL ON FUNCTION onboarding.first_running(start timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.has_running(worker_id text) FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.has_work(served text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION onboarding.has_work(served text[]) TO onboarding_worker;

REVOKE ALL ON FUNCTION onboarding.hold_end(p onboarding.providers, t timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION onboarding.hold_end(p onboarding.providers, t timestamp with time zone) TO onboarding_operator;
GRANT ALL ON FUNCTION onboarding.hold_end(p onboarding.providers, t timestamp with time zone) TO onboarding_monitor;
GRANT ALL ON FUNCTION onboarding.hold_end(p onboarding.providers, t timestamp with time zone) TO onboarding_worker;

REVOKE ALL ON FUNCTION onboarding.is_in_doubt(last_sent_at timestamp with time zone, late_doubt boolean, sent boolean, proven boolean) FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.is_preparing() FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.keep_late(job_ids bigint[], tokens bigint[], workers text[], claimed_ats text[], attempt_numbers smallint[], did_steps text[], outcomes text[], reached boolean[], http_statuses integer[], request_ids text[], provider_ids text[], provider_statuses text[], errors text[], sent_ages_ms bigint[], keys text[], digests bytea[], written_tokens bigint[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.key_age_ms(first_sent_at timestamp with time zone, t timestamp with time zone, set_back_at timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.known_backlog(max_age interval) FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.learnt_rate(p onboarding.providers, t timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION onboarding.learnt_rate(p onboarding.providers, t timestamp with time zone) TO onboarding_operator;
GRANT ALL ON FUNCTION onboarding.learnt_rate(p onboarding.providers, t timestamp with time zone) TO onboarding_monitor;
GRANT ALL ON FUNCTION onboarding.learnt_rate(p onboarding.providers, t timestamp with time zone) TO onboarding_worker;

REVOKE ALL ON FUNCTION onboarding.limit_provider(provider text, max_in_flight integer, rate_per_second double precision, burst integer, unlimited text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION onboarding.limit_provider(provider text, max_in_flight integer, rate_per_second double precision, burst integer, unlimited text[]) TO onboarding_operator;

REVOKE ALL ON FUNCTION onboarding.new_idempotency_key() FROM PUBLIC;
GRANT ALL ON FUNCTION onboarding.new_idempotency_key() TO onboarding_enqueuer;

GRANT SELECT(id) ON TABLE onboarding.jobs TO onboarding_enqueuer;
GRANT SELECT(id) ON TABLE onboarding.jobs TO onboarding_worker;
GRANT SELECT(id) ON TABLE onboarding.jobs TO onboarding_operator;
GRANT SELECT(id) ON TABLE onboarding.jobs TO onboarding_monitor;

GRANT SELECT(after_job_id),INSERT(after_job_id) ON TABLE onboarding.jobs TO onboarding_enqueuer;
GRANT SELECT(after_job_id) ON TABLE onboarding.jobs TO onboarding_worker;
GRANT SELECT(after_job_id) ON TABLE onboarding.jobs TO onboarding_operator;
GRANT SELECT(after_job_id) ON TABLE onboarding.jobs TO onboarding_monitor;

GRANT SELECT(run_at),INSERT(run_at) ON TABLE onboarding.jobs TO onboarding_enqueuer;
GRANT SELECT(run_at) ON TABLE onboarding.jobs TO onboarding_worker;
GRANT SELECT(run_at) ON TABLE onboarding.jobs TO onboarding_operator;
GRANT SELECT(run_at) ON TABLE onboarding.jobs TO onboarding_monitor;

GRANT SELECT(expires_at),INSERT(expires_at) ON TABLE onboarding.jobs TO onboarding_enqueuer;
GRANT SELECT(expires_at) ON TABLE onboarding.jobs TO onboarding_worker;
GRANT SELECT(expires_at) ON TABLE onboarding.jobs TO onboarding_operator;
GRANT SELECT(expires_at) ON TABLE onboarding.jobs TO onboarding_monitor;

GRANT SELECT(created_at) ON TABLE onboarding.jobs TO onboarding_enqueuer;
GRANT SELECT(created_at) ON TABLE onboarding.jobs TO onboarding_worker;
GRANT SELECT(created_at) ON TABLE onboarding.jobs TO onboarding_operator;
GRANT SELECT(created_at) ON TABLE onboarding.jobs TO onboarding_monitor;

GRANT SELECT(updated_at) ON TABLE onboarding.jobs TO onboarding_enqueuer;
GRANT SELECT(updated_at) ON TABLE onboarding.jobs TO onboarding_worker;
GRANT SELECT(updated_at) ON TABLE onboarding.jobs TO onboarding_operator;
GRANT SELECT(updated_at) ON TABLE onboarding.jobs TO onboarding_monitor;

GRANT SELECT(claimed_at) ON TABLE onboarding.jobs TO onboarding_enqueuer;
GRANT SELECT(claimed_at) ON TABLE onboarding.jobs TO onboarding_worker;
GRANT SELECT(claimed_at) ON TABLE onboarding.jobs TO onboarding_operator;
GRANT SELECT(claimed_at) ON TABLE onboarding.jobs TO onboarding_monitor;

GRANT SELECT(lease_expires_at) ON TABLE onboarding.jobs TO onboarding_enqueuer;
GRANT SELECT(lease_expires_at) ON TABLE onboarding.jobs TO onboarding_worker;
GRANT SELECT(lease_expires_at) ON TABLE onboarding.jobs TO onboarding_operator;
GRANT SELECT(lease_expires_at) ON TABLE onboarding.jobs TO onboarding_monitor;

GRANT SELECT(cancel_requested_at) ON TABLE onboarding.jobs TO onboarding_enqueuer;
GRANT SELECT(cancel_requested_at) ON TABLE onboarding.jobs TO onboarding_worker;
GRANT SELECT(cancel_requested_at) ON TABLE onboarding.jobs TO onboarding_operator;
GRANT SELECT(cancel_requested_at) ON TABLE onboarding.jobs TO onboarding_monitor;

GRANT SELECT(finished_at) ON TABLE onboarding.jobs TO onboarding_enqueuer;
GRANT SELECT(finished_at) ON TABLE onboarding.jobs TO onboarding_worker;
GRANT SELECT(finished_at) ON TABLE onboarding.jobs TO onboarding_operator;
GRANT SELECT(finished_at) ON TABLE onboarding.jobs TO onboarding_monitor;

GRANT INSERT(idempotency_key) ON TABLE onboarding.jobs TO onboarding_enqueuer;

GRANT SELECT(payload_bytes) ON TABLE onboarding.jobs TO onboarding_enqueuer;
GRANT SELECT(payload_bytes) ON TABLE onboarding.jobs TO onboarding_worker;
GRANT SELECT(payload_bytes) ON TABLE onboarding.jobs TO onboarding_operator;
GRANT SELECT(payload_bytes) ON TABLE onboarding.jobs TO onboarding_monitor;

GRANT SELECT(last_http_status) ON TABLE onboarding.jobs TO onboarding_enqueuer;
GRANT SELECT(last_http_status) ON TABLE onboarding.jobs TO onboarding_worker;
GRANT SELECT(last_http_status) ON TABLE onboarding.jobs TO onboarding_operator;
GRANT SELECT(last_http_status) ON TABLE onboarding.jobs TO onboarding_monitor;

GRANT SELECT(priority),INSERT(priority) ON TABLE onboarding.jobs TO onboarding_enqueuer;
GRANT SELECT(priority) ON TABLE onboarding.jobs TO onboarding_worker;
GRANT SELECT(priority) ON TABLE onboarding.jobs TO onboarding_operator;
GRANT SELECT(priority) ON TABLE onboarding.jobs TO onboarding_monitor;

GRANT SELECT(attempt) ON TABLE onboarding.jobs TO onboarding_enqueuer;
GRANT SELECT(attempt) ON TABLE onboarding.jobs TO onboarding_worker;
GRANT SELECT(attempt) ON TABLE onboarding.jobs TO onboarding_operator;
GRANT SELECT(attempt) ON TABLE onboarding.jobs TO onboarding_monitor;

GRANT SELECT(max_attempts),INSERT(max_attempts) ON TABLE onboarding.jobs TO onboarding_enqueuer;
GRANT SELECT(max_attempts) ON TABLE onboarding.jobs TO onboarding_worker;
GRANT SELECT(max_attempts) ON TABLE onboarding.jobs TO onboarding_operator;
GRANT SELECT(max_attempts) ON TABLE onboarding.jobs TO onboarding_monitor;

GRANT SELECT(kind),INSERT(kind) ON TABLE onboarding.jobs TO onboarding_enqueuer;
GRANT SELECT(kind) ON TABLE onboarding.jobs TO onboarding_worker;
GRANT SELECT(kind) ON TABLE onboarding.jobs TO onboarding_operator;
GRANT SELECT(kind) ON TABLE onboarding.jobs TO onboarding_monitor;

GRANT SELECT(provider) ON TABLE onboarding.jobs TO onboarding_enqueuer;
GRANT SELECT(provider) ON TABLE onboarding.jobs TO onboarding_worker;
GRANT SELECT(provider) ON TABLE onboarding.jobs TO onboarding_operator;
GRANT SELECT(provider) ON TABLE onboarding.jobs TO onboarding_monitor;

GRANT SELECT(state) ON TABLE onboarding.jobs TO onboarding_enqueuer;
GRANT SELECT(state) ON TABLE onboarding.jobs TO onboarding_worker;
GRANT SELECT(state) ON TABLE onboarding.jobs TO onboarding_operator;
GRANT SELECT(state) ON TABLE onboarding.jobs TO onboarding_monitor;

GRANT SELECT(step) ON TABLE onboarding.jobs TO onboarding_enqueuer;
GRANT SELECT(step) ON TABLE onboarding.jobs TO onboarding_worker;
GRANT SELECT(step) ON TABLE onboarding.jobs TO onboarding_operator;
GRANT SELECT(step) ON TABLE onboarding.jobs TO onboarding_monitor;

GRANT SELECT(follow),INSERT(follow) ON TABLE onboarding.jobs TO onboarding_enqueuer;
GRANT SELECT(follow) ON TABLE onboarding.jobs TO onboarding_worker;
GRANT SELECT(follow) ON TABLE onboarding.jobs TO onboarding_operator;
GRANT SELECT(follow) ON TABLE onboarding.jobs TO onboarding_monitor;

GRANT SELECT(reference),INSERT(reference) ON TABLE onboarding.jobs TO onboarding_enqueuer;
GRANT SELECT(reference) ON TABLE onboarding.jobs TO onboarding_worker;
GRANT SELECT(reference) ON TABLE onboarding.jobs TO onboarding_operator;
GRANT SELECT(reference) ON TABLE onboarding.jobs TO onboarding_monitor;

GRANT SELECT(unique_key),INSERT(unique_key) ON TABLE onboarding.jobs TO onboarding_enqueuer;
GRANT SELECT(unique_key) ON TABLE onboarding.jobs TO onboarding_worker;
GRANT SELECT(unique_key) ON TABLE onboarding.jobs TO onboarding_operator;
GRANT SELECT(unique_key) ON TABLE onboarding.jobs TO onboarding_monitor;

GRANT SELECT(order_key),INSERT(order_key) ON TABLE onboarding.jobs TO onboarding_enqueuer;
GRANT SELECT(order_key) ON TABLE onboarding.jobs TO onboarding_worker;
GRANT SELECT(order_key) ON TABLE onboarding.jobs TO onboarding_operator;
GRANT SELECT(order_key) ON TABLE onboarding.jobs TO onboarding_monitor;

GRANT SELECT(traceparent),INSERT(traceparent) ON TABLE onboarding.jobs TO onboarding_enqueuer;
GRANT SELECT(traceparent) ON TABLE onboarding.jobs TO onboarding_worker;
GRANT SELECT(traceparent) ON TABLE onboarding.jobs TO onboarding_operator;
GRANT SELECT(traceparent) ON TABLE onboarding.jobs TO onboarding_monitor;

GRANT SELECT(claimed_by) ON TABLE onboarding.jobs TO onboarding_enqueuer;
GRANT SELECT(claimed_by) ON TABLE onboarding.jobs TO onboarding_worker;
GRANT SELECT(claimed_by) ON TABLE onboarding.jobs TO onboarding_operator;
GRANT SELECT(claimed_by) ON TABLE onboarding.jobs TO onboarding_monitor;

GRANT SELECT(provider_id) ON TABLE onboarding.jobs TO onboarding_enqueuer;
GRANT SELECT(provider_id) ON TABLE onboarding.jobs TO onboarding_worker;
GRANT SELECT(provider_id) ON TABLE onboarding.jobs TO onboarding_operator;
GRANT SELECT(provider_id) ON TABLE onboarding.jobs TO onboarding_monitor;

GRANT SELECT(provider_status) ON TABLE onboarding.jobs TO onboarding_enqueuer;
GRANT SELECT(provider_status) ON TABLE onboarding.jobs TO onboarding_worker;
GRANT SELECT(provider_status) ON TABLE onboarding.jobs TO onboarding_operator;
GRANT SELECT(provider_status) ON TABLE onboarding.jobs TO onboarding_monitor;

GRANT SELECT(decision) ON TABLE onboarding.jobs TO onboarding_enqueuer;
GRANT SELECT(decision) ON TABLE onboarding.jobs TO onboarding_worker;
GRANT SELECT(decision) ON TABLE onboarding.jobs TO onboarding_operator;
GRANT SELECT(decision) ON TABLE onboarding.jobs TO onboarding_monitor;

GRANT SELECT(last_outcome) ON TABLE onboarding.jobs TO onboarding_enqueuer;
GRANT SELECT(last_outcome) ON TABLE onboarding.jobs TO onboarding_worker;
GRANT SELECT(last_outcome) ON TABLE onboarding.jobs TO onboarding_operator;
GRANT SELECT(last_outcome) ON TABLE onboarding.jobs TO onboarding_monitor;

GRANT SELECT(last_error) ON TABLE onboarding.jobs TO onboarding_enqueuer;
GRANT SELECT(last_error) ON TABLE onboarding.jobs TO onboarding_worker;
GRANT SELECT(last_error) ON TABLE onboarding.jobs TO onboarding_operator;
GRANT SELECT(last_error) ON TABLE onboarding.jobs TO onboarding_monitor;

GRANT INSERT(parameters) ON TABLE onboarding.jobs TO onboarding_enqueuer;

GRANT INSERT(payload) ON TABLE onboarding.jobs TO onboarding_enqueuer;

REVOKE ALL ON FUNCTION onboarding.lock_job(job_id bigint) FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.lock_provider(provider_name text) FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.log_state_change(job bigint, from_state text, to_state text, why text) FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.maintain(max_jobs integer, OUT partitions_made integer, OUT partitions_dropped integer, OUT jobs_deleted integer) FROM PUBLIC;
GRANT ALL ON FUNCTION onboarding.maintain(max_jobs integer, OUT partitions_made integer, OUT partitions_dropped integer, OUT jobs_deleted integer) TO onboarding_worker;
GRANT ALL ON FUNCTION onboarding.maintain(max_jobs integer, OUT partitions_made integer, OUT partitions_dropped integer, OUT jobs_deleted integer) TO onboarding_operator;

REVOKE ALL ON FUNCTION onboarding.make_partitions(OUT made integer, OUT failures jsonb[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.make_roles() FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.mark_sent(worker_id text, job_ids bigint[], tokens bigint[], request_digests bytea[]) FROM PUBLIC;
GRANT ALL ON FUNCTION onboarding.mark_sent(worker_id text, job_ids bigint[], tokens bigint[], request_digests bytea[]) TO onboarding_worker;

REVOKE ALL ON FUNCTION onboarding.may_exist(job onboarding.jobs) FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.milliseconds(span interval) FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.milliseconds_until(moment timestamp with time zone, t timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.not_after(moment timestamp with time zone, t timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.note_clock_jump(jump_ms bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION onboarding.note_clock_jump(jump_ms bigint) TO onboarding_worker;

REVOKE ALL ON FUNCTION onboarding.note_provider_health(job_ids bigint[], tokens bigint[], outcomes text[], http_statuses integer[], holds_ms bigint[], concerned text[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.note_shared_ids(job_ids bigint[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.note_throttle(provider_name text, claimed_at timestamp with time zone, asked_ms bigint) FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.note_trial(provider_name text, answers bigint, doubts bigint) FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.note_unsettled(noted bigint) FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.notify_event(job bigint, state text) FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.notify_jobs() FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.old_claims(worker_id text) FROM PUBLIC;
GRANT ALL ON FUNCTION onboarding.old_claims(worker_id text) TO onboarding_worker;

REVOKE ALL ON FUNCTION onboarding.pace(p onboarding.providers, t timestamp with time zone, OUT rate double precision, OUT burst integer) FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.partition_end(partition oid) FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.pause_provider(provider text, reason text, until timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION onboarding.pause_provider(provider text, reason text, until timestamp with time zone) TO onboarding_operator;

REVOKE ALL ON FUNCTION onboarding.permits(provider_name text, wanted integer, OUT allowed integer, OUT hint text, OUT wait_ms integer, OUT counted boolean, OUT probing boolean) FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.probe_job(provider_name text, t timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.queue_counts() FROM PUBLIC;
GRANT ALL ON FUNCTION onboarding.queue_counts() TO onboarding_operator;
GRANT ALL ON FUNCTION onboarding.queue_counts() TO onboarding_monitor;
GRANT ALL ON FUNCTION onboarding.queue_counts() TO onboarding_worker;

REVOKE ALL ON FUNCTION onboarding.rate_cell(rate double precision, burst integer) FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.refuse(field text, problem text) FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.refuse_illegal_transition() FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.refuse_length(field text, value text) FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.register_worker(worker_id text, host_name text, program_version text, slots integer, served text[], lease_ms integer, call_ms integer, OUT is_new boolean, OUT unwatched_ms bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION onboarding.register_worker(worker_id text, host_name text, program_version text, slots integer, served text[], lease_ms integer, call_ms integer, OUT is_new boolean, OUT unwatched_ms bigint) TO onboarding_worker;

REVOKE ALL ON FUNCTION onboarding.remove_worker(worker_id text) FROM PUBLIC;
GRANT ALL ON FUNCTION onboarding.remove_worker(worker_id text) TO onboarding_worker;

REVOKE ALL ON FUNCTION onboarding.renew_lease(worker_id text, lease_ms integer, calls integer, is_draining boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION onboarding.renew_lease(worker_id text, lease_ms integer, calls integer, is_draining boolean) TO onboarding_worker;

REVOKE ALL ON FUNCTION onboarding.repair_blocked(max_jobs integer, INOUT from_id bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION onboarding.repair_blocked(max_jobs integer, INOUT from_id bigint) TO onboarding_worker;

REVOKE ALL ON FUNCTION onboarding.repair_ends(max_ends integer) FROM PUBLIC;
GRANT ALL ON FUNCTION onboarding.repair_ends(max_ends integer) TO onboarding_worker;

REVOKE ALL ON FUNCTION onboarding.repair_order_keys(max_keys integer, INOUT from_provider text, INOUT from_key text) FROM PUBLIC;
GRANT ALL ON FUNCTION onboarding.repair_order_keys(max_keys integer, INOUT from_provider text, INOUT from_key text) TO onboarding_worker;

REVOKE ALL ON FUNCTION onboarding.repair_restored() FROM PUBLIC;
GRANT ALL ON FUNCTION onboarding.repair_restored() TO onboarding_worker;

REVOKE ALL ON FUNCTION onboarding.resolve(job_id bigint, verdict text, provider_id text, note text) FROM PUBLIC;
GRANT ALL ON FUNCTION onboarding.resolve(job_id bigint, verdict text, provider_id text, note text) TO onboarding_operator;

REVOKE ALL ON FUNCTION onboarding.resolve_jobs(verdicts jsonb, note text) FROM PUBLIC;
GRANT ALL ON FUNCTION onboarding.resolve_jobs(verdicts jsonb, note text) TO onboarding_operator;

REVOKE ALL ON FUNCTION onboarding.resume_provider(provider text) FROM PUBLIC;
GRANT ALL ON FUNCTION onboarding.resume_provider(provider text) TO onboarding_operator;

REVOKE ALL ON FUNCTION onboarding.retry(job_id bigint, reason text, payload jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION onboarding.retry(job_id bigint, reason text, payload jsonb) TO onboarding_operator;

REVOKE ALL ON FUNCTION onboarding.rotate_keys(job_ids bigint[], tokens bigint[], key_uses text[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.same_job(kind text, unique_key text, payload jsonb, parameters jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.sent_age_ms(last_sent_at timestamp with time zone, t timestamp with time zone, watched_since timestamp with time zone, set_back_at timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.settle_dependents(ended bigint[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.settle_late_successes(job_ids bigint[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.shorten_leases(t timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.snapshot_holders() FROM PUBLIC;
GRANT ALL ON FUNCTION onboarding.snapshot_holders() TO onboarding_operator;
GRANT ALL ON FUNCTION onboarding.snapshot_holders() TO onboarding_monitor;
GRANT ALL ON FUNCTION onboarding.snapshot_holders() TO onboarding_worker;

REVOKE ALL ON FUNCTION onboarding.state_after(wanted text, is_cancelled boolean, in_doubt boolean) FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.take_over(reaper text, suspects bigint[], max_jobs integer, thoroughly boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION onboarding.take_over(reaper text, suspects bigint[], max_jobs integer, thoroughly boolean) TO onboarding_worker;

REVOKE ALL ON FUNCTION onboarding.take_restored_row() FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.taken_ids(job_ids bigint[], outcomes text[], provider_ids text[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.trial_window(p onboarding.providers, t timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.unlocked_jobs(job_ids bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION onboarding.unlocked_jobs(job_ids bigint[]) TO onboarding_worker;

REVOKE ALL ON FUNCTION onboarding.upkeep_failure(step text, code text, problem text) FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.use_permits(provider_name text, taken integer, probing boolean) FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.wake_all() FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.wake_workers(provider text, already_woken text) FROM PUBLIC;

REVOKE ALL ON FUNCTION onboarding.why(job_id bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION onboarding.why(job_id bigint) TO onboarding_enqueuer;
GRANT ALL ON FUNCTION onboarding.why(job_id bigint) TO onboarding_operator;
GRANT ALL ON FUNCTION onboarding.why(job_id bigint) TO onboarding_worker;
GRANT ALL ON FUNCTION onboarding.why(job_id bigint) TO onboarding_monitor;

GRANT SELECT ON TABLE onboarding.attempts TO onboarding_operator;
GRANT SELECT ON TABLE onboarding.attempts TO onboarding_monitor;
GRANT SELECT ON TABLE onboarding.attempts TO onboarding_worker;

GRANT SELECT ON TABLE onboarding.attempts_first TO onboarding_operator;
GRANT SELECT ON TABLE onboarding.attempts_first TO onboarding_monitor;
GRANT SELECT ON TABLE onboarding.attempts_first TO onboarding_worker;

GRANT SELECT ON TABLE onboarding.customers TO onboarding_operator;
GRANT SELECT ON TABLE onboarding.customers TO onboarding_monitor;
GRANT SELECT ON TABLE onboarding.customers TO onboarding_worker;

GRANT SELECT ON TABLE onboarding.doubles TO onboarding_operator;
GRANT SELECT ON TABLE onboarding.doubles TO onboarding_monitor;
GRANT SELECT ON TABLE onboarding.doubles TO onboarding_worker;

GRANT SELECT ON TABLE onboarding.failed_jobs TO onboarding_operator;
GRANT SELECT ON TABLE onboarding.failed_jobs TO onboarding_monitor;
GRANT SELECT ON TABLE onboarding.failed_jobs TO onboarding_worker;

GRANT SELECT ON TABLE onboarding.kinds TO onboarding_enqueuer;
GRANT SELECT ON TABLE onboarding.kinds TO onboarding_worker;
GRANT SELECT ON TABLE onboarding.kinds TO onboarding_operator;
GRANT SELECT ON TABLE onboarding.kinds TO onboarding_monitor;

GRANT UPDATE(keep_finished) ON TABLE onboarding.kinds TO onboarding_operator;

GRANT SELECT ON TABLE onboarding.maintenance TO onboarding_operator;
GRANT SELECT ON TABLE onboarding.maintenance TO onboarding_monitor;
GRANT SELECT ON TABLE onboarding.maintenance TO onboarding_worker;

GRANT UPDATE(keep_history) ON TABLE onboarding.maintenance TO onboarding_operator;

GRANT SELECT ON TABLE onboarding.migrations TO onboarding_enqueuer;
GRANT SELECT ON TABLE onboarding.migrations TO onboarding_worker;
GRANT SELECT ON TABLE onboarding.migrations TO onboarding_operator;
GRANT SELECT ON TABLE onboarding.migrations TO onboarding_monitor;

GRANT SELECT ON TABLE onboarding.provider_events TO onboarding_operator;
GRANT SELECT ON TABLE onboarding.provider_events TO onboarding_monitor;
GRANT SELECT ON TABLE onboarding.provider_events TO onboarding_worker;

GRANT SELECT ON TABLE onboarding.queue_health TO onboarding_operator;
GRANT SELECT ON TABLE onboarding.queue_health TO onboarding_monitor;
GRANT SELECT ON TABLE onboarding.queue_health TO onboarding_worker;

GRANT SELECT ON TABLE onboarding.state_changes TO onboarding_operator;
GRANT SELECT ON TABLE onboarding.state_changes TO onboarding_monitor;
GRANT SELECT ON TABLE onboarding.state_changes TO onboarding_worker;

GRANT SELECT ON TABLE onboarding.state_changes_first TO onboarding_operator;
GRANT SELECT ON TABLE onboarding.state_changes_first TO onboarding_monitor;
GRANT SELECT ON TABLE onboarding.state_changes_first TO onboarding_worker;

GRANT SELECT ON TABLE onboarding.transitions TO onboarding_operator;
GRANT SELECT ON TABLE onboarding.transitions TO onboarding_monitor;
GRANT SELECT ON TABLE onboarding.transitions TO onboarding_worker;

GRANT SELECT ON TABLE onboarding.uncertain_jobs TO onboarding_operator;
GRANT SELECT ON TABLE onboarding.uncertain_jobs TO onboarding_monitor;
GRANT SELECT ON TABLE onboarding.uncertain_jobs TO onboarding_worker;

GRANT SELECT ON TABLE onboarding.upkeep_failures TO onboarding_operator;
GRANT SELECT ON TABLE onboarding.upkeep_failures TO onboarding_monitor;
GRANT SELECT ON TABLE onboarding.upkeep_failures TO onboarding_worker;

GRANT SELECT ON TABLE onboarding.vacuum_horizon TO onboarding_operator;
GRANT SELECT ON TABLE onboarding.vacuum_horizon TO onboarding_monitor;
GRANT SELECT ON TABLE onboarding.vacuum_horizon TO onboarding_worker;

GRANT SELECT ON TABLE onboarding.workers TO onboarding_operator;
GRANT SELECT ON TABLE onboarding.workers TO onboarding_monitor;
GRANT SELECT ON TABLE onboarding.workers TO onboarding_worker;
