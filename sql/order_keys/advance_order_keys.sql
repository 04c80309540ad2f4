-- Releases the next job of each order key that one of these jobs has; a key whose first job is locked is left to
-- `repair_ends`.
-- Callers: `check_order`, `retry`, `settle_dependents`.
-- Locks: the first job of each key, if it is free.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.advance_order_keys(job_ids bigint[]) RETURNS void
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
