-- Moves ends into their minutes' sums, up to 50,000 rows, and deletes sums of more than two hours ago.
-- Callers: `maintain`.
-- Locks: the rows of `ended` and `ended_by_minute`, then the row of `maintenance`.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.count_ended() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off AS $$
DECLARE
    moment timestamptz := clock_timestamp();
    moved bigint;
BEGIN
    WITH gone AS (
        DELETE FROM onboarding.ended e
        WHERE e.ctid = ANY (ARRAY(SELECT o.ctid FROM onboarding.ended o ORDER BY o.at LIMIT 50000))
        RETURNING e.at, e.provider, e.completed, e.failed
    ), summed AS (
        INSERT INTO onboarding.ended_by_minute AS b (minute, provider, completed, failed)
        SELECT date_trunc('minute', g.at), g.provider, sum(g.completed), sum(g.failed)
        FROM gone g
        WHERE g.at > moment - interval '2 hours'
        GROUP BY 1, 2
        ON CONFLICT (minute, provider) DO UPDATE
        SET completed = b.completed + excluded.completed, failed = b.failed + excluded.failed
    )
    SELECT count(*) INTO moved FROM gone;
    -- Where more are left they are still looked for among the rows.
    IF moved < 50000 THEN UPDATE onboarding.maintenance SET counted_until = moment; END IF;
    DELETE FROM onboarding.ended_by_minute e WHERE e.minute < moment - interval '2 hours';
END;
$$;
