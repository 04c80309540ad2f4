-- Inserts a job and returns its id; for a unique key that is taken by the same job, returns the id of that one.
-- Callers: callers, instead of an INSERT.
-- Locks: as an INSERT: a transaction that inserts the same unique key is waited for.
-- Errors: 23514 for a wrong field; 23505 when the unique key belongs to another job; 40001 when it was taken by a
-- transaction that this one cannot see (run it again).
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
