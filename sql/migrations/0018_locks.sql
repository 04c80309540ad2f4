-- What somebody else has locked is passed by, row by row, and seen to once it is free: a caller's open transaction delays its
-- own job and what depends on it, nothing else.

-- Jobs of which an end may not have been told to all that waits for it: a dependent was locked, or the next of the order key;
-- or what waits was inserted while the end could not see it. Not unique, so that no insert ever waits for another's.
CREATE TABLE onboarding.unsettled_ends (
    job_id bigint NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX unsettled_ends_at_idx ON onboarding.unsettled_ends (at);

-- The first of an order key that has not ended, if it is still held behind another, is held no longer. Returns whether it
-- was, and null where somebody has locked that job: it may be about to end.
CREATE FUNCTION onboarding.advance_order_key(provider_name text, key text) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
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

-- Lets the next of each order key go that one of these jobs has; a key whose first job is locked is left to `repair_ends`.
-- The lock on that job puts two that change a key one after the other, so that the later one sees what the earlier did.
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

-- Sees to what could not be settled because somebody had locked it, or did not see it: up to `max_ends` ends, and uncertain jobs whose record was
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

-- Notes, once a transaction, that job `noted` is to be looked at again when what this transaction inserts can be seen: an end
-- that does not see it yet may commit at the same moment. No lock could be held for that: a caller may take its time.
CREATE FUNCTION onboarding.note_unsettled(noted bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF current_setting('onboarding.noted', true) IS NOT DISTINCT FROM pg_current_xact_id()::text || ' ' || noted THEN RETURN; END IF;
    INSERT INTO onboarding.unsettled_ends (job_id) VALUES (noted);
    PERFORM set_config('onboarding.noted', pg_current_xact_id()::text || ' ' || noted, true);
END;
$$;

-- A job that was inserted behind another of its order key looks again when its transaction commits: the first may have ended
-- meanwhile, unseen, or be about to.
CREATE FUNCTION onboarding.check_order() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
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
CREATE CONSTRAINT TRIGGER jobs_check_order AFTER INSERT ON onboarding.jobs
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.is_behind AND NEW.created_at >= now()) EXECUTE FUNCTION onboarding.check_order();

-- Runs when the caller's transaction commits: the job waited for may have ended since the INSERT, or be about to. Takes no lock
-- on that job, which the insert's reference holds in place already, and as much time for each of a thousand dependents.
CREATE OR REPLACE FUNCTION onboarding.check_dependent() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
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
    onboarding.settle_late_successes, onboarding.repair_ends, onboarding.check_order, onboarding.note_unsettled FROM PUBLIC;
GRANT EXECUTE ON FUNCTION onboarding.has_work, onboarding.repair_ends TO onboarding_worker;

INSERT INTO onboarding.migrations (version, name) VALUES (18, 'locks');
