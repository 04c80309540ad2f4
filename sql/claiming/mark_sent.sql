-- Records that requests may have been sent, before they are, for kinds whose keys do not make a resend harmless.
-- Returns the tokens that may be sent: the claim is still this worker's, its lease holds, nobody has cancelled the job,
-- and its time is not over.
-- Callers: queries/mark_sent.sql.
-- Locks: the jobs, passing by those that are locked: a cancel that has not committed yet, perhaps.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.mark_sent(worker_id text, job_ids bigint[], tokens bigint[], request_digests bytea[] DEFAULT NULL)
RETURNS SETOF bigint
-- PL/pgSQL keeps the plan; a function in SQL is planned at each call.
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan SET jit = off AS $$
BEGIN
    RETURN QUERY
    UPDATE onboarding.jobs j
    SET marked_at = clock_timestamp(), request_sha256 = coalesce(j.request_sha256, m.digest)
    FROM (
        SELECT f.id, r.digest
        FROM unnest(job_ids, tokens, request_digests) AS r (job_id, token, digest)
        CROSS JOIN LATERAL (
            SELECT q.id FROM onboarding.jobs q
            WHERE q.id = ANY (ARRAY[r.job_id]) AND q.claim_token = r.token AND coalesce(q.state, '') = 'running'
              AND q.cancel_requested_at IS NULL AND (q.expires_at IS NULL OR q.expires_at > clock_timestamp())
            FOR NO KEY UPDATE SKIP LOCKED) f
        WHERE EXISTS (SELECT 1 FROM onboarding.worker_leases w WHERE w.id = worker_id AND w.lease_expires_at > clock_timestamp())
        -- Each job is locked, and looked at under the lock, before it is written.
        OFFSET 0) m
    WHERE j.id = ANY (ARRAY[m.id])
    RETURNING j.claim_token;
END;
$$;
