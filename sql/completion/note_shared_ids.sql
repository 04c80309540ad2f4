-- Records for each of these jobs which others have the same record. Called where an id may legitimately be another
-- job's: after adoptions and verdicts.
-- Callers: `complete`, `resolve`, `settle_late_successes`.
-- Locks: none.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.note_shared_ids(job_ids bigint[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    INSERT INTO onboarding.shared_ids (job_id, other_job_id)
    SELECT j.id, o.id
    FROM onboarding.jobs j
    JOIN onboarding.jobs o ON o.provider_id = ANY (ARRAY[j.provider_id]) AND o.provider = j.provider AND o.id <> j.id
    WHERE j.id = ANY (job_ids) AND j.provider_id IS NOT NULL
    ON CONFLICT DO NOTHING;
END;
$$;
