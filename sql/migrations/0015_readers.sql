-- Who reads for long, and statistics that are old, slow nobody down.
INSERT INTO onboarding.migrations (version, name) VALUES (15, 'readers');

-- While a reader of the history holds its lock, an `ALTER` waits, and all that write wait behind it: so for a tenth of a second
-- only, and what could not be done is left to the next turn. The rest of the turn is done all the same.
CREATE OR REPLACE FUNCTION onboarding.maintain(
    max_jobs integer, OUT partitions_made integer, OUT partitions_dropped integer, OUT jobs_deleted integer
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' SET enable_seqscan = off SET jit = off AS $$
DECLARE
    settings onboarding.maintenance;
    place record;
BEGIN
    SELECT * INTO settings FROM onboarding.maintenance FOR UPDATE SKIP LOCKED;
    -- A clock that was ahead may have left a time to come.
    IF NOT FOUND OR settings.last_run_at BETWEEN clock_timestamp() - interval '10 s' AND clock_timestamp() THEN RETURN; END IF;
    UPDATE onboarding.maintenance
    SET last_run_at = clock_timestamp(), running_since = onboarding.first_running(settings.running_since);
    PERFORM onboarding.count_ended();
    partitions_made := 0; partitions_dropped := 0; jobs_deleted := 0;
    FOR place IN
        SELECT p.parent, now() + ahead * interval '1 month' AS month
        FROM unnest(ARRAY['attempts', 'state_changes']) AS p (parent) CROSS JOIN generate_series(0, 2) AS ahead
    LOOP
        BEGIN
            IF onboarding.add_partition(place.parent, place.month) THEN partitions_made := partitions_made + 1; END IF;
        EXCEPTION WHEN lock_not_available THEN EXIT;
        END;
    END LOOP;
    IF settings.keep_history IS NOT NULL THEN
        FOR place IN
            SELECT i.inhparent::regclass AS parent, i.inhrelid::regclass AS partition
            FROM pg_catalog.pg_inherits i
            WHERE i.inhparent IN ('onboarding.attempts'::regclass, 'onboarding.state_changes'::regclass)
              AND onboarding.partition_end(i.inhrelid) < now() - settings.keep_history
        LOOP
            BEGIN
                -- Detached first, so that the parent is locked for a moment only.
                EXECUTE format('ALTER TABLE %s DETACH PARTITION %s', place.parent, place.partition);
                EXECUTE format('DROP TABLE %s', place.partition);
            EXCEPTION WHEN lock_not_available THEN EXIT;
            END;
            partitions_dropped := partitions_dropped + 1;
        END LOOP;
    END IF;
    FOR place IN SELECT k.kind, k.provider, k.keep_finished FROM onboarding.kinds k WHERE k.keep_finished IS NOT NULL LOOP
        WITH old AS (
            SELECT j.id FROM onboarding.jobs j
            WHERE j.finished_at < now() - place.keep_finished AND j.provider = place.provider AND j.kind = place.kind
              -- One that others came after stays until they are gone.
              AND NOT EXISTS (SELECT 1 FROM onboarding.jobs d WHERE d.after_job_id = j.id)
            ORDER BY j.finished_at LIMIT max_jobs - jobs_deleted
            FOR UPDATE SKIP LOCKED
        ), evidence AS (
            DELETE FROM onboarding.late_successes l USING old o WHERE l.job_id = o.id
        ), shared AS (
            DELETE FROM onboarding.shared_ids s USING old o WHERE s.job_id = o.id OR s.other_job_id = o.id
        ), gone AS (
            DELETE FROM onboarding.jobs j USING old o WHERE j.id = o.id RETURNING 1
        )
        SELECT jobs_deleted + count(*) INTO jobs_deleted FROM gone;
    END LOOP;
END;
$$;

