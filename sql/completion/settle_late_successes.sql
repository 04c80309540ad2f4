-- Completes uncertain jobs for which a fenced-out worker has proved the record.
-- Callers: `complete`, `repair_ends`.
-- Locks: the jobs, passing by those that are locked; then their dependents.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.settle_late_successes(job_ids bigint[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
    proven bigint[];
BEGIN
    WITH free AS (
        SELECT j.id FROM onboarding.jobs j
        WHERE j.id = ANY (job_ids) AND coalesce(j.state, '') = 'uncertain'
          AND EXISTS (SELECT 1 FROM onboarding.evidence l WHERE l.job_id = j.id)
        FOR NO KEY UPDATE OF j SKIP LOCKED
    ), evidence AS (
        SELECT DISTINCT ON (l.job_id) l.job_id, l.provider_id, l.provider_status, l.worker
        FROM free f JOIN onboarding.evidence l ON l.job_id = f.id
        ORDER BY l.job_id, l.at DESC
    ), settled AS (
        UPDATE onboarding.jobs j
        SET state = 'completed', provider_id = e.provider_id, provider_status = e.provider_status,
            last_outcome = 'adopted', last_error = NULL, finished_at = now(), updated_at = now()
        FROM evidence e
        WHERE j.id = ANY (ARRAY[e.job_id])
        RETURNING j.id, e.worker
    ), logged AS (
        INSERT INTO onboarding.state_changes (job_id, from_state, to_state, actor, reason)
        SELECT s.id, 'uncertain', 'completed', s.worker, 'late evidence proves the record' FROM settled s
        RETURNING job_id
    )
    SELECT array_agg(l.job_id) FROM logged l CROSS JOIN LATERAL onboarding.notify_event(l.job_id, 'completed') INTO proven;
    IF proven IS NULL THEN RETURN; END IF;
    PERFORM onboarding.note_shared_ids(proven);
    PERFORM onboarding.settle_dependents(proven);
END;
$$;
