-- Keys that are made one after another lie side by side. Each transition writes a job's key into its index again: with random
-- keys that is another page for each job, and after a checkpoint the WAL has an image of each, however few jobs are in work.
INSERT INTO onboarding.migrations (version, name) VALUES (13, 'keys');

-- A UUID of version 4 (RFC 9562, section 5.4) whose first 48 bits are the time in milliseconds; the other 74 stay random.
-- Its names are those of now, whatever path its caller has set.
CREATE FUNCTION onboarding.new_idempotency_key() RETURNS uuid LANGUAGE sql VOLATILE
RETURN encode(overlay(uuid_send(gen_random_uuid())
    PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6), 'hex')::uuid;
-- A column's default is called with the rights of who inserts.
REVOKE ALL ON FUNCTION onboarding.new_idempotency_key FROM PUBLIC;
GRANT EXECUTE ON FUNCTION onboarding.new_idempotency_key TO onboarding_enqueuer;

ALTER TABLE onboarding.jobs ALTER idempotency_key SET DEFAULT onboarding.new_idempotency_key();

CREATE OR REPLACE FUNCTION onboarding.enqueue(
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
