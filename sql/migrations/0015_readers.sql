-- Who reads for long, and statistics that are old, slow nobody down.
INSERT INTO onboarding.migrations (version, name) VALUES (15, 'readers');

-- While a reader of the history holds its lock, an `ALTER` waits, and all that write wait behind it: so for a tenth of a second
-- only, and what could not be done is left to the next turn. The rest of the turn is done all the same.

-- A failure of one step as `upkeep_failures` keeps it. Called in exception handlers.
CREATE FUNCTION onboarding.upkeep_failure(step text, code text, problem text) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT jsonb_build_object('step', step, 'code', code, 'problem', left(problem, 300));
$$;

-- Makes the partitions of this month and of the two that follow, and that of the oldest row in the partition for the rest.
-- Called by `maintain`. What fails concerns one partition.
CREATE FUNCTION onboarding.make_partitions(OUT made integer, OUT failures jsonb[])
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
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

-- Drops the partitions that end more than `keep` ago, and deletes up to 20,000 rows of that age from each partition for the
-- rest. Called by `maintain`. What fails concerns one partition.
CREATE FUNCTION onboarding.drop_history(keep interval, OUT dropped integer, OUT failures jsonb[])
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET enable_seqscan = off AS $$
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
$$;

-- Deletes jobs and what is known of them alone, and returns how many jobs. Fails if a single one cannot be deleted.
CREATE FUNCTION onboarding.delete_jobs(job_ids bigint[]) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
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

-- Deletes up to `max_jobs` finished jobs that `kinds.keep_finished` lets go. Goes on where the last turn ended, so that jobs
-- which cannot be deleted keep nothing else: those are tried one by one, for two seconds at most. Called by `maintain`.
CREATE FUNCTION onboarding.delete_finished(max_jobs integer, OUT deleted integer, OUT failures jsonb[])
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off AS $$
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

-- Looks after history and retention. Every worker calls it now and then, and one at a time does something. Each step stands
-- alone: `upkeep_failures` says which of them fail, since when and why. Returns null when another is at it or was a moment ago.
CREATE OR REPLACE FUNCTION onboarding.maintain(
    max_jobs integer, OUT partitions_made integer, OUT partitions_dropped integer, OUT jobs_deleted integer
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' SET enable_seqscan = off SET jit = off
SET timezone = 'UTC' AS $$
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

REVOKE ALL ON FUNCTION onboarding.upkeep_failure, onboarding.make_partitions, onboarding.drop_history, onboarding.delete_jobs,
    onboarding.delete_finished FROM PUBLIC;
