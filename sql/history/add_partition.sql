-- Makes the partition of the month that `month` lies in. Attaching a table takes no lock for which others would wait.
-- What was written before it was made lies in the partition for the rest and moves here; where that is more than
-- 100,000 rows it stays there, and so does the rest of that month.
-- Callers: `make_partitions`.
-- Locks: the partition for the rest, exclusively.
-- Errors: 55P03 where somebody reads the history.
CREATE OR REPLACE FUNCTION onboarding.add_partition(parent text, month timestamptz) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
-- Months are those of UTC: in another zone months that meet here would overlap, or leave hours between them.
SET timezone = 'UTC' SET datestyle = 'ISO' AS $$
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
    -- Rights are given by grants alone: an event trigger may have enabled row security, which hides rows from their owner, too.
    EXECUTE format('ALTER TABLE onboarding.%I DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY', name);
    IF early > 0 THEN
        EXECUTE format('WITH moved AS (DELETE FROM %s WHERE %s RETURNING *) INSERT INTO onboarding.%I SELECT * FROM moved',
            rest, bounds, name);
    END IF;
    EXECUTE format('ALTER TABLE onboarding.%I ATTACH PARTITION onboarding.%I FOR VALUES FROM (%L) TO (%L)',
        parent, name, start, start + interval '1 month');
    RETURN true;
END;
$$;
