-- Records that the clock jumped by `jump_ms`, ahead or, if negative, back; every worker that sees a jump calls it. Ages
-- from before are not trusted any more, and waits that were set before a jump back begin anew. Returns how many jobs it
-- moved: at most 5000 at a time, to be called again.
-- Callers: queries/note_clock_jump.sql.
-- Locks: the row of `maintenance`, then the jobs, passing by those that are locked; waits for 1 s at most.
-- Errors: 55P03 after that wait.
CREATE OR REPLACE FUNCTION onboarding.note_clock_jump(jump_ms bigint) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
    t timestamptz := clock_timestamp();
    moved integer;
BEGIN
    UPDATE onboarding.maintenance m
    SET clock_watched_since = t,
        clock_set_back_at = CASE WHEN jump_ms < 0
            THEN greatest(m.clock_set_back_at, t + least(-jump_ms, 172800000) * interval '1 ms') ELSE m.clock_set_back_at END;
    IF jump_ms >= 0 THEN RETURN 0; END IF;
    -- All but what a caller has asked for at a later time, and nobody has tried yet.
    UPDATE onboarding.jobs j SET run_at = t + greatest(interval '0', j.run_at - j.updated_at), updated_at = t
    WHERE j.id = ANY (ARRAY(
        SELECT q.id FROM onboarding.jobs q
        WHERE q.state = 'available' AND q.run_at > t AND q.updated_at > t
          AND (q.last_outcome IS NOT NULL OR q.run_at <= q.updated_at)
        LIMIT 5000 FOR NO KEY UPDATE SKIP LOCKED));
    GET DIAGNOSTICS moved = ROW_COUNT;
    IF moved > 0 THEN PERFORM pg_notify('onboarding_jobs', ''); END IF;
    RETURN moved;
END;
$$;
