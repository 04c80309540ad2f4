-- Puts all jobs of a provider that have not ended in doubt, and returns how many: each is looked up before it is sent
-- again, or becomes uncertain where its provider cannot tell. For a database from a backup: what was due then may have
-- been sent since. A key counts as old as it can be.
-- Callers: operators, before the first worker starts.
-- Locks: the provider's row, then its jobs.
-- Errors: 23514 for an unknown provider or without a reason.
CREATE OR REPLACE FUNCTION onboarding.doubt_unfinished(provider text, reason text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    p onboarding.providers := onboarding.lock_provider(provider);
    doubted bigint;
BEGIN
    IF coalesce(btrim(reason), '') = '' THEN PERFORM onboarding.refuse('reason', 'is needed: it is kept'); END IF;
    UPDATE onboarding.jobs j
    SET last_sent_at = clock_timestamp(), first_sent_at = coalesce(j.first_sent_at, j.created_at), updated_at = now()
    WHERE j.provider = p.provider AND j.state IN ('blocked', 'available', 'running', 'uncertain');
    GET DIAGNOSTICS doubted = ROW_COUNT;
    INSERT INTO onboarding.provider_events (provider, actor, event, reason)
    VALUES (p.provider, session_user, 'doubted', left(doubt_unfinished.reason, 500));
    RETURN doubted;
END;
$$;
