-- Drops the partitions that end more than `keep` ago, and deletes up to 20,000 rows of that age from each partition for
-- the rest. A failure concerns one partition.
-- Callers: `maintain`.
-- Locks: the parent tables and the partitions, exclusively, for a moment.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.drop_history(keep interval, OUT dropped integer, OUT failures jsonb[])
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
