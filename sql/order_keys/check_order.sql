-- A job that was inserted behind another of its order key looks again when its transaction commits: the first may have
-- ended meanwhile, unseen, or be about to.
-- Callers: `jobs_check_order`.
-- Locks: the first job of the key, if it is free.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.check_order() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
    head record;
BEGIN
    SELECT o.id, o.xmin::text = pg_current_xact_id()::xid::text AS is_own, o.is_behind INTO head FROM onboarding.jobs o
    WHERE o.provider = NEW.provider AND o.order_key = NEW.order_key
      AND o.state IN ('blocked', 'available', 'running', 'waiting', 'uncertain')
    ORDER BY o.id LIMIT 1;
    IF head.is_behind THEN
        PERFORM onboarding.advance_order_keys(ARRAY[head.id]);
    -- Nobody else sees a job of this transaction, so nobody can have ended it.
    ELSIF NOT head.is_own THEN
        PERFORM onboarding.note_unsettled(head.id);
    END IF;
    RETURN NULL;
END;
$$;
