-- What somebody else has locked is passed by, row by row, and seen to once it is free: a caller's open transaction delays its
-- own job and what depends on it, nothing else.

-- Ends that could not be told to all that waits for them: a dependent was locked, or the next of the order key. Not unique, so
-- that no insert ever waits for another's.
CREATE TABLE onboarding.unsettled_ends (
    job_id bigint NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX unsettled_ends_at_idx ON onboarding.unsettled_ends (at);

-- The first of an order key that has not ended, if it is still held behind another, is held no longer. Returns whether it
-- was, and null where it is locked. Called under the key's advisory lock, or by a repair.
CREATE FUNCTION onboarding.advance_order_key(provider_name text, key text) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
    head record;
BEGIN
    SELECT o.id, o.is_behind INTO head FROM onboarding.jobs o
    WHERE o.provider = provider_name AND o.order_key = key
      AND o.state IN ('blocked', 'available', 'running', 'waiting', 'uncertain')
    ORDER BY o.id LIMIT 1;
    IF head.is_behind IS NOT TRUE THEN RETURN false; END IF;
    PERFORM 1 FROM onboarding.jobs j WHERE j.id = head.id FOR NO KEY UPDATE SKIP LOCKED;
    IF NOT FOUND THEN RETURN NULL; END IF;
    UPDATE onboarding.jobs j SET is_behind = false WHERE j.id = head.id AND j.is_behind;
    RETURN FOUND;
END;
$$;

-- Lets the next of each order key go that one of these jobs has. A lock a key, so that of two that change a key at the same
-- moment the later one sees what the earlier did; a key whose lock is taken is left to `repair_ends`.
CREATE FUNCTION onboarding.advance_order_keys(job_ids bigint[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
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
        was_behind := NULL;
        IF pg_try_advisory_xact_lock(hashtextextended(place.provider || ' ' || place.order_key, 7463)) THEN
            was_behind := onboarding.advance_order_key(place.provider, place.order_key);
        END IF;
        -- Without the key's lock, or in a snapshot that does not see its head's end, nothing was learnt: it is looked at again.
        IF was_behind IS NULL OR current_setting('transaction_isolation') <> 'read committed' THEN
            INSERT INTO onboarding.unsettled_ends (job_id) VALUES (place.job_id);
        END IF;
        released := released OR was_behind IS TRUE;
    END LOOP;
    IF released THEN PERFORM pg_notify('onboarding_jobs', ''); END IF;
END;
$$;

-- What the end of these jobs means to those that wait for them: released by a completion, cancelled by anything else, and so
-- on down the chain. Passes by what somebody has locked and notes it for `repair_ends`.
CREATE FUNCTION onboarding.settle_dependents(ended bigint[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
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
        IF released THEN PERFORM pg_notify('onboarding_jobs', ''); END IF;
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

-- Ends uncertain jobs of which a fenced-out worker has proved the record.
CREATE FUNCTION onboarding.settle_late_successes(job_ids bigint[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
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

-- Sees to what could not be settled because somebody had locked it: up to `max_ends` ends, and uncertain jobs whose record was
-- proved meanwhile. Called by each worker about once a second; what is still locked is noted anew. Returns how many were tried.
CREATE FUNCTION onboarding.repair_ends(max_ends integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
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
    IF ended IS NOT NULL THEN PERFORM onboarding.settle_dependents(ended); END IF;
    SELECT array_agg(l.job_id) INTO proven FROM (
        SELECT s.job_id FROM onboarding.jobs j
        JOIN onboarding.late_successes s ON s.job_id = j.id
        WHERE j.state = 'uncertain' LIMIT max_ends) l;
    IF proven IS NOT NULL THEN PERFORM onboarding.settle_late_successes(proven); END IF;
    RETURN coalesce(cardinality(ended), 0) + coalesce(cardinality(proven), 0);
END;
$$;

-- A job that was inserted behind another of its order key looks again when its transaction commits: the head may have ended
-- meanwhile, unseen. Under the key's lock, or else noted for `repair_ends`.
CREATE FUNCTION onboarding.check_order() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM onboarding.advance_order_keys(ARRAY[NEW.id]);
    RETURN NULL;
END;
$$;
CREATE CONSTRAINT TRIGGER jobs_check_order AFTER INSERT ON onboarding.jobs
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.is_behind AND NEW.created_at >= now()) EXECUTE FUNCTION onboarding.check_order();

-- Whether anything of these providers is due, running, waits for its next attempt, or is blocked on such; or whether an end is
-- still to be told to what waits for it.
CREATE FUNCTION onboarding.has_work(served text[]) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- Pinned: statistics that find most jobs finished must not make it read them.
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
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

REVOKE ALL ON FUNCTION onboarding.has_work, onboarding.advance_order_key, onboarding.advance_order_keys, onboarding.settle_dependents,
    onboarding.settle_late_successes, onboarding.repair_ends, onboarding.check_order FROM PUBLIC;
GRANT EXECUTE ON FUNCTION onboarding.has_work, onboarding.repair_ends TO onboarding_worker;

INSERT INTO onboarding.migrations (version, name) VALUES (18, 'locks');
