-- Looks after history and retention. Every worker calls it now and then, and one at a time does something. Each step
-- stands alone: `upkeep_failures` says which of them fail, since when and why. Returns null when another call runs or
-- ran a moment ago. While a reader of the history holds its lock, an ALTER TABLE waits and all writers wait behind it:
-- so for a tenth of a second only, and what could not be done is left to the next call.
-- Callers: operators; queries/maintain.sql.
-- Locks: the row of `maintenance` if it is free; then those of its steps, each of which waits for 0.1 s at most.
-- Errors: none.
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
