-- The jobs of this batch whose answer to a creation has an id that another job of the provider has already, or one
-- before them in the batch. Counts all that have the id: with a LIMIT a plan could walk the primary key to find the
-- first.
-- Callers: `complete`.
-- Locks: none.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.taken_ids(job_ids bigint[], outcomes text[], provider_ids text[]) RETURNS bigint[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan SET jit = off AS $$
DECLARE
    repeats boolean := (SELECT count(DISTINCT i) < count(i) FROM unnest(provider_ids) AS p (i));
BEGIN
    RETURN ARRAY(
        SELECT r.job_id
        FROM unnest(job_ids, outcomes, provider_ids) WITH ORDINALITY AS r (job_id, outcome, provider_id, place)
        WHERE r.outcome = 'succeeded' AND (
            (SELECT count(*) FROM onboarding.jobs o
                WHERE o.provider_id = ANY (ARRAY[r.provider_id]) AND o.id <> r.job_id
                  -- No condition of the index: it is asked for only where somebody has the id.
                  AND o.provider IS NOT DISTINCT FROM (SELECT m.provider FROM onboarding.jobs m WHERE m.id = ANY (ARRAY[r.job_id]))) > 0
            OR (repeats AND EXISTS (
                SELECT 1 FROM unnest(job_ids, provider_ids) WITH ORDINALITY AS p (job_id, provider_id, place)
                JOIN onboarding.jobs a ON a.id = p.job_id
                JOIN onboarding.jobs b ON b.id = r.job_id AND b.provider = a.provider
                WHERE p.provider_id = r.provider_id AND p.place < r.place))));
END;
$$;
