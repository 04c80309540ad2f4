-- Gives jobs a new key. A statement of its own, since one that names a key column waits for every open transaction that
-- inserted a job which depends on this one.
-- Callers: `complete`.
-- Locks: the jobs, which `complete` has locked already.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.rotate_keys(job_ids bigint[], tokens bigint[], key_uses text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE onboarding.jobs j
    SET idempotency_key = gen_random_uuid()
    FROM unnest(job_ids, tokens, key_uses) AS r (job_id, token, key_use)
    WHERE j.id = r.job_id AND j.claim_token = r.token AND r.key_use = 'new' AND j.state = 'available' AND j.last_sent_at IS NULL;
END;
$$;
