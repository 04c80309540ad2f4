-- Ends the doubt about an uncertain job by a person's verdict and returns the state afterwards. `happened`: the
-- provider has the record, under the id that is given. `did_not_happen`: it has none; the job is sent again under a new
-- key, not before the last request can no longer have its effect, since nobody can have seen a record that does not
-- exist yet.
-- Callers: operators; `resolve_jobs`, `uncertain_jobs`, queries/job_resolve.sql.
-- Locks: the job, then its dependents.
-- Errors: P0002 without such a job; 55000 for a job that is not uncertain; 23514 for a wrong verdict, id or note.
CREATE OR REPLACE FUNCTION onboarding.resolve(job_id bigint, verdict text, provider_id text DEFAULT NULL, note text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    job onboarding.jobs := onboarding.lock_job(job_id);
    new_state text;
BEGIN
    IF job.state <> 'uncertain' THEN
        RAISE EXCEPTION 'onboarding: job % is %; only an uncertain job can be resolved', job.id, job.state
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    IF coalesce(btrim(note), '') = '' THEN
        PERFORM onboarding.refuse('note', 'is needed: say who looked where');
    END IF;
    IF verdict = 'happened' THEN
        IF coalesce(resolve.provider_id !~ (SELECT k.id_pattern FROM onboarding.kinds k WHERE k.kind = job.kind), true) THEN
            PERFORM onboarding.refuse('provider_id', 'is needed with the verdict happened, as the provider writes its ids');
        END IF;
        new_state := 'completed';
        UPDATE onboarding.jobs j
        SET state = 'completed', provider_id = resolve.provider_id, last_outcome = 'adopted', last_error = NULL,
            finished_at = now(), updated_at = now()
        WHERE j.id = job.id;
        PERFORM onboarding.note_shared_ids(ARRAY[job.id]);
    ELSIF verdict = 'did_not_happen' THEN
        new_state := CASE WHEN job.cancel_requested_at IS NULL THEN 'available' ELSE 'cancelled' END;
        UPDATE onboarding.jobs j
        SET state = new_state, backoff_step = 0,
            -- Looked for once more by then, where that is possible: what came after the verdict is found.
            step = CASE WHEN (SELECT k.lost_answer FROM onboarding.kinds k WHERE k.kind = job.kind) = 'none'
                THEN 'create' ELSE 'look_up' END,
            run_at = greatest(now(), onboarding.not_after(job.last_sent_at, now()) + onboarding.effect_horizon(job.provider)),
            first_sent_at = NULL, last_sent_at = NULL, last_create_status = NULL, request_sha256 = NULL,
            denied_at = greatest(job.denied_at, job.last_sent_at), mute_look_ups = 0, mute_since = NULL, attempt = least(j.attempt, j.max_attempts - 1),
            expires_at = CASE WHEN j.expires_at <= now() THEN NULL ELSE j.expires_at END,
            idempotency_key = gen_random_uuid(), updated_at = now(),
            finished_at = CASE WHEN new_state = 'cancelled' THEN now() END
        WHERE j.id = job.id;
        PERFORM pg_notify('onboarding_jobs', '');
    ELSE
        PERFORM onboarding.refuse('verdict', 'must be happened or did_not_happen');
    END IF;
    INSERT INTO onboarding.state_changes (job_id, from_state, to_state, actor, reason, old_key, new_key)
    SELECT job.id, 'uncertain', new_state, session_user, verdict || ': ' || note, job.idempotency_key, j.idempotency_key
    FROM onboarding.jobs j WHERE j.id = job.id;
    PERFORM onboarding.notify_event(job.id, new_state);
    PERFORM onboarding.settle_dependents(ARRAY[job.id]);
    RETURN new_state;
END;
$$;
