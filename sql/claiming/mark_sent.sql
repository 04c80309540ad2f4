-- Records that requests may have been sent, before they are, for kinds whose keys do not make a resend harmless.
-- Returns the tokens that may be sent: the claim is still this worker's, its lease holds, nobody has cancelled the job,
-- and its time is not over.
-- Callers: queries/mark_sent.sql.
-- Locks: the jobs, passing by those that are locked.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.mark_sent(worker_id text, job_ids bigint[], tokens bigint[], request_digests bytea[] DEFAULT NULL)
RETURNS SETOF bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
    UPDATE onboarding.jobs j
    SET marked_at = clock_timestamp(), request_sha256 = coalesce(j.request_sha256, m.digest)
    FROM unnest(job_ids, tokens, request_digests) AS m (job_id, token, digest)
    -- What somebody has locked is not sent: perhaps a cancel that has not committed yet.
    WHERE j.id = ANY (ARRAY(SELECT f.id FROM onboarding.jobs f WHERE f.id = ANY (job_ids) FOR NO KEY UPDATE SKIP LOCKED))
      AND j.id = m.job_id AND j.claim_token = m.token AND coalesce(j.state, '') = 'running'
      AND j.cancel_requested_at IS NULL AND (j.expires_at IS NULL OR j.expires_at > clock_timestamp())
      AND EXISTS (SELECT 1 FROM onboarding.worker_leases w WHERE w.id = worker_id AND w.lease_expires_at > clock_timestamp())
    RETURNING j.claim_token;
$$;
