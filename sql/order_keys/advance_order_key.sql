-- Releases the first job of an order key that has not ended, if it is still held behind another. Returns whether it
-- was, and null where somebody has locked that job: it may be about to end.
-- Callers: `advance_order_keys`, `repair_order_keys`.
-- Locks: that job, if it is free. The lock puts two that change a key one after the other, so that the later one sees
-- the change.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.advance_order_key(provider_name text, key text) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
    head record;
BEGIN
    SELECT o.id, o.is_behind INTO head FROM onboarding.jobs o
    WHERE o.provider = provider_name AND o.order_key = key
      AND o.state IN ('blocked', 'available', 'running', 'waiting', 'uncertain')
    ORDER BY o.id LIMIT 1;
    -- Without a lock: whoever calls may take long to commit, and the job may be running.
    IF head.is_behind IS NOT TRUE THEN RETURN false; END IF;
    PERFORM 1 FROM onboarding.jobs j WHERE j.id = head.id FOR NO KEY UPDATE SKIP LOCKED;
    IF NOT FOUND THEN RETURN NULL; END IF;
    UPDATE onboarding.jobs j SET is_behind = false WHERE j.id = head.id AND j.is_behind;
    RETURN FOUND;
END;
$$;
