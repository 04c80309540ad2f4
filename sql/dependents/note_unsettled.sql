-- Records, once per transaction, that job `noted` is to be looked at again when the rows which this transaction inserts
-- can be seen: an end that does not see them yet may commit at the same moment. A lock would not do: a caller may keep
-- it for long.
-- Callers: `check_dependent`, `check_order`.
-- Locks: none.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.note_unsettled(noted bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF current_setting('onboarding.noted', true) IS NOT DISTINCT FROM pg_current_xact_id()::text || ' ' || noted THEN RETURN; END IF;
    INSERT INTO onboarding.unsettled_ends (job_id) VALUES (noted);
    PERFORM set_config('onboarding.noted', pg_current_xact_id()::text || ' ' || noted, true);
END;
$$;
