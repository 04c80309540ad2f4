-- Records in the journal what a worker brings of jobs that it has lost, and separately what proves a success. A request
-- that may have been sent puts a job that has not ended in doubt again, from now on. Returns a row per attempt that is
-- not among the written: whether it had been written before, when the answer to COMMIT was lost.
-- Callers: `complete`.
-- Locks: the jobs that are put in doubt.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.keep_late(
    job_ids bigint[], tokens bigint[], workers text[], claimed_ats text[], attempt_numbers smallint[],
    did_steps text[], outcomes text[], reached boolean[], http_statuses integer[], request_ids text[],
    provider_ids text[], provider_statuses text[], errors text[], sent_ages_ms bigint[], keys text[], digests bytea[],
    written_tokens bigint[])
RETURNS TABLE (job_id bigint, claim_token bigint, written boolean, job_state text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH missed AS (
        SELECT r.*,
            EXISTS (
                SELECT 1 FROM onboarding.attempts a
                WHERE a.job_id = r.job_id AND a.claim_token = r.token AND NOT a.late AND a.outcome <> 'lost') AS is_known,
            EXISTS (
                SELECT 1 FROM onboarding.attempts a
                WHERE a.job_id = r.job_id AND a.claim_token = r.token AND a.late) AS is_kept
        FROM unnest(job_ids, tokens, workers, claimed_ats, attempt_numbers, did_steps, outcomes, reached, http_statuses,
            request_ids, provider_ids, provider_statuses, errors, sent_ages_ms, keys, digests)
        AS r (job_id, token, worker, claimed_at, attempt, did_step, outcome, reached, http_status, request_id,
            provider_id, provider_status, error, sent_age_ms, key, digest)
        WHERE r.token <> ALL (written_tokens)
    ), journal AS (
        INSERT INTO onboarding.attempts (job_id, claim_token, claimed_at, sent_at, idempotency_key, http_status, attempt,
            late, step, worker, outcome, provider_id, provider_status, request_id, error, reason, body_sha256)
        SELECT m.job_id, m.token, m.claimed_at::timestamptz, now() - m.sent_age_ms * interval '1 ms', m.key::uuid,
            m.http_status, m.attempt, true, m.did_step, m.worker, m.outcome, m.provider_id, m.provider_status,
            m.request_id, m.error,
            CASE WHEN m.reached THEN 'came too late, and may have had an effect: another worker had the job'
                ELSE 'came too late: another worker had the job' END, m.digest
        FROM missed m WHERE NOT m.is_known AND NOT m.is_kept
        ON CONFLICT DO NOTHING
    ), evidence AS (
        INSERT INTO onboarding.late_successes (job_id, claim_token, provider_id, provider_status, worker)
        SELECT m.job_id, m.token, m.provider_id, m.provider_status, m.worker
        FROM missed m WHERE NOT m.is_known AND NOT m.is_kept AND m.provider_id IS NOT NULL
        ON CONFLICT DO NOTHING
    ), doubt AS (
        UPDATE onboarding.jobs j
        SET late_doubt = true,
            last_sent_at = CASE WHEN j.state IN ('available', 'running', 'uncertain')
                THEN greatest(j.last_sent_at, clock_timestamp()) ELSE j.last_sent_at END,
            first_sent_at = coalesce(j.first_sent_at, j.claimed_at)
        FROM missed m
        WHERE j.id = ANY (ARRAY[m.job_id]) AND m.reached AND NOT m.is_known AND NOT m.is_kept
          AND coalesce(j.state, '') IN ('available', 'running', 'uncertain', 'failed', 'cancelled')
    )
    SELECT m.job_id, m.token, m.is_known, NULL::text FROM missed m;
END;
$$;
