-- Why the job is not running now: a row per reason; none when it only waits for a free slot.
-- Callers: everybody; queries/job_why.sql.
-- Locks: none.
-- Errors: P0002 where there is no such job.
CREATE OR REPLACE FUNCTION onboarding.why(job_id bigint) RETURNS TABLE (reason text, detail text, until timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    job onboarding.jobs;
    head record;
BEGIN
    SELECT * INTO job FROM onboarding.jobs j WHERE j.id = why.job_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'onboarding: % is not a job', coalesce(why.job_id::text, 'null') USING ERRCODE = 'no_data_found';
    END IF;
    IF job.state IN ('completed', 'failed', 'cancelled') THEN
        RETURN QUERY SELECT job.state, coalesce(job.last_error, 'it is done'), NULL::timestamptz;
        RETURN QUERY SELECT 'late_evidence', format('worker %s brought later that the provider has it as %s', l.worker, l.provider_id), NULL::timestamptz
            FROM onboarding.late_successes l WHERE l.job_id = job.id AND job.state <> 'completed';
        RETURN;
    ELSIF job.state = 'running' THEN
        IF EXISTS (SELECT 1 FROM onboarding.worker_leases w WHERE w.id = job.claimed_by AND w.lease_expires_at > now()) THEN
            RETURN QUERY SELECT 'running', format('worker %s has had it since %s', job.claimed_by, job.claimed_at), NULL::timestamptz;
            RETURN;
        END IF;
        RETURN QUERY SELECT 'running', format('worker %s had it from %s on and is gone: another takes it over', job.claimed_by, job.claimed_at), NULL::timestamptz;
        IF NOT EXISTS (SELECT 1 FROM onboarding.worker_leases w WHERE w.lease_expires_at > now()) THEN
            RETURN QUERY SELECT 'no_worker', 'no worker is alive to take it over: is one running?', NULL::timestamptz;
        END IF;
        RETURN;
    ELSIF job.state = 'uncertain' THEN
        RETURN QUERY SELECT 'uncertain', 'waits for resolve(' || job.id || ', ''happened'' or ''did_not_happen'', …)', NULL::timestamptz;
        RETURN;
    END IF;
    IF job.state = 'blocked' THEN
        RETURN QUERY SELECT 'blocked', format('waits for job %s, which is %s', a.id, a.state), NULL::timestamptz
            FROM onboarding.jobs a WHERE a.id = job.after_job_id;
    END IF;
    IF job.run_at > now() THEN RETURN QUERY SELECT 'not_due', 'not claimed before run_at', job.run_at; END IF;
    IF job.expires_at <= now() THEN RETURN QUERY SELECT 'expired', 'no attempt starts after expires_at', NULL::timestamptz; END IF;
    RETURN QUERY SELECT * FROM onboarding.why_provider(job.provider);
    IF job.order_key IS NOT NULL THEN
        FOR head IN
            SELECT o.id, o.state FROM onboarding.jobs o
            WHERE o.provider = job.provider AND o.order_key = job.order_key AND o.id <> job.id
              AND o.state IN ('blocked', 'available', 'running', 'waiting', 'uncertain')
              AND (o.id < job.id OR o.state = 'running')
            ORDER BY o.id LIMIT 1
        LOOP
            RETURN QUERY SELECT 'order', format('job %s of the same order_key is %s', head.id, head.state), NULL::timestamptz;
        END LOOP;
        IF NOT FOUND AND job.is_behind THEN
            RETURN QUERY SELECT 'order', 'the job before it of the same order_key has ended: it is let go within seconds', NULL::timestamptz;
        END IF;
    END IF;
    IF NOT EXISTS (SELECT 1 FROM onboarding.worker_leases w WHERE w.lease_expires_at > now() AND job.provider = ANY (w.providers)) THEN
        RETURN QUERY SELECT 'no_worker', format('no live worker serves %s: is one running, with its credentials?', job.provider), NULL::timestamptz;
    END IF;
END;
$$;
