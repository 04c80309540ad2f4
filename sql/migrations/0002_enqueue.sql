-- Putting jobs in: the checks of INSERT, the wake-up, dependents, and `enqueue`.
INSERT INTO onboarding.migrations (version, name) VALUES (2, 'enqueue');

-- One clear error for one wrong field. The row itself never shows: a constraint's error would print it.
CREATE FUNCTION onboarding.refuse(field text, problem text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'onboarding: % %', field, problem USING ERRCODE = 'check_violation', COLUMN = field;
END;
$$;

-- Refuses a payload that the top level of its kind's contract refuses.
-- Callers: the trigger of INSERT, `retry`. Errors: 23514 with the field's name, never with its value.
CREATE FUNCTION onboarding.check_payload(kind_name text, body jsonb) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
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

-- Refuses the first field that breaks its rule. A null in a field that is not required is no value.
CREATE FUNCTION onboarding.check_fields(kind_name text, rules jsonb, body jsonb) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
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

-- Checks a new job and fills in what callers do not write. A row that comes with its size is none: callers may not write
-- that column, and a new job has 0 there. It comes from a dump, and is kept exactly as it is, ended or in doubt.
CREATE FUNCTION onboarding.check_new_job() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
$$;

CREATE FUNCTION onboarding.refuse_length(field text, value text) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    SELECT onboarding.refuse(field, format('must have 1 to 255 characters, not %s', length(value)));
$$;

CREATE TRIGGER jobs_check_new BEFORE INSERT ON onboarding.jobs
FOR EACH ROW EXECUTE FUNCTION onboarding.check_new_job();

-- One wake-up a statement, without content: equal notifications of a transaction fold into one.
CREATE FUNCTION onboarding.notify_jobs() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pg_notify('onboarding_jobs', '');
    RETURN NULL;
END;
$$;

CREATE TRIGGER jobs_notify AFTER INSERT ON onboarding.jobs
FOR EACH STATEMENT EXECUTE FUNCTION onboarding.notify_jobs();

-- Writes a state change that no attempt explains, with the session's user as its author.
CREATE FUNCTION onboarding.log_state_change(job bigint, from_state text, to_state text, why text) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO onboarding.state_changes (job_id, from_state, to_state, actor, reason)
    VALUES (job, from_state, to_state, session_user, why);
$$;

-- Whether the client's statement prepares its transaction for a two-phase commit, which PostgreSQL refuses to one that has
-- notified. What inserts, and so runs at that moment, then notifies nobody: workers find the jobs when they poll.
CREATE FUNCTION onboarding.is_preparing() RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT right(current_query(), 2000) ~* 'prepare(\s|/\*.*\*/|--[^\n]*\n)+transaction';
$$;

-- Wakes the workers of all providers.
CREATE FUNCTION onboarding.wake_all() RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    SELECT pg_notify('onboarding_jobs', '') WHERE NOT onboarding.is_preparing();
$$;

CREATE FUNCTION onboarding.notify_event(job bigint, state text) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    SELECT pg_notify('onboarding_events', format('{"job_id": %s, "state": "%s"}', job, state)) WHERE NOT onboarding.is_preparing();
$$;

-- Runs when the caller's transaction commits: the job waited for may have ended since the INSERT.
-- The lock is held for the length of that commit only, so no caller can hold up the workers.
CREATE FUNCTION onboarding.check_dependent() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM 1 FROM onboarding.jobs j WHERE j.id = NEW.after_job_id FOR SHARE;
    PERFORM onboarding.settle_dependents(ARRAY[NEW.after_job_id]);
    RETURN NULL;
END;
$$;

-- A row that is older than its transaction comes from a dump: what was settled between it and others is in the dump, too.
CREATE CONSTRAINT TRIGGER jobs_check_dependent AFTER INSERT ON onboarding.jobs
DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW WHEN (NEW.state = 'blocked' AND NEW.created_at >= now()) EXECUTE FUNCTION onboarding.check_dependent();

-- The job that has the unique key already; refused where it is another job than the one meant.
CREATE FUNCTION onboarding.same_job(kind text, unique_key text, payload jsonb, parameters jsonb) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
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

CREATE FUNCTION onboarding.enqueue(
    kind text, payload jsonb, reference text DEFAULT NULL, unique_key text DEFAULT NULL,
    parameters jsonb DEFAULT '{}', priority integer DEFAULT 5, run_at timestamptz DEFAULT now(),
    expires_at timestamptz DEFAULT NULL, after_job_id bigint DEFAULT NULL, order_key text DEFAULT NULL,
    follow text DEFAULT 'created', max_attempts integer DEFAULT 25, traceparent text DEFAULT NULL,
    idempotency_key uuid DEFAULT NULL
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
        coalesce(enqueue.idempotency_key, gen_random_uuid()), enqueue.priority, enqueue.run_at, enqueue.expires_at,
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
