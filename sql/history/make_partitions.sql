-- Makes the partitions of this month and of the two that follow, and that of the oldest row in the partition for the
-- rest. A failure concerns one partition.
-- Callers: `onboard migrate`; `maintain`.
-- Locks: those of `add_partition`.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.make_partitions(OUT made integer, OUT failures jsonb[])
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
