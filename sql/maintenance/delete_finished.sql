-- Deletes up to `max_jobs` finished jobs that `kinds.keep_finished` allows. Continues where the last turn ended, so
-- that jobs which cannot be deleted hold up nothing else: those are tried one by one, for two seconds at most.
-- Callers: `maintain`.
-- Locks: the jobs, passing by those that are locked.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.delete_finished(max_jobs integer, OUT deleted integer, OUT failures jsonb[])
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off AS $$
DECLARE
    place record;
    ids bigint[];
    job bigint;
    problem jsonb;
    kept integer;
    deadline timestamptz := clock_timestamp() + interval '2 s';
BEGIN
    deleted := 0; failures := '{}';
    FOR place IN
        SELECT k.kind, k.provider, k.keep_finished, r.finished_at, r.job_id
        FROM onboarding.kinds k LEFT JOIN onboarding.retention_places r ON r.kind = k.kind
        WHERE k.keep_finished IS NOT NULL
    LOOP
        CONTINUE WHEN deleted >= max_jobs;
        ids := ARRAY(
            SELECT j.id FROM onboarding.jobs j
            WHERE j.finished_at < now() - place.keep_finished AND j.provider = place.provider AND j.kind = place.kind
              AND (j.finished_at, j.id) > (coalesce(place.finished_at, '-infinity'), coalesce(place.job_id, 0))
              -- One that others came after stays until they are gone.
              AND NOT EXISTS (SELECT 1 FROM onboarding.jobs d WHERE d.after_job_id = j.id)
            ORDER BY j.finished_at, j.id LIMIT max_jobs - deleted
            FOR UPDATE SKIP LOCKED);
        DELETE FROM onboarding.retention_places r WHERE r.kind = place.kind;
        IF cardinality(ids) = max_jobs - deleted THEN
            INSERT INTO onboarding.retention_places (kind, finished_at, job_id)
            SELECT place.kind, j.finished_at, j.id FROM onboarding.jobs j WHERE j.id = ids[cardinality(ids)];
        END IF;
        BEGIN
            deleted := deleted + onboarding.delete_jobs(ids);
        EXCEPTION WHEN OTHERS THEN
            kept := 0;
            FOREACH job IN ARRAY ids LOOP
                EXIT WHEN clock_timestamp() > deadline;
                BEGIN
                    deleted := deleted + onboarding.delete_jobs(ARRAY[job]);
                EXCEPTION WHEN OTHERS THEN
                    kept := kept + 1;
                    problem := onboarding.upkeep_failure(format('delete finished jobs of %s', place.kind), SQLSTATE,
                        format('%s jobs were kept; job %s: %s', kept, job, SQLERRM));
                END;
            END LOOP;
            IF kept > 0 THEN failures := failures || problem; END IF;
        END;
    END LOOP;
END;
$$;
