-- Group roles without login (design, section 3.5). Nobody but the functions changes a row.
INSERT INTO onboarding.migrations (version, name) VALUES (7, 'roles');

-- Makes the group roles that the server does not have. Roles are not in a database's dump. Called by migrations alone.
CREATE FUNCTION onboarding.make_roles() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    role_name text;
    missing text[] := '{}';
BEGIN
    FOREACH role_name IN ARRAY ARRAY['onboarding_enqueuer', 'onboarding_worker', 'onboarding_operator', 'onboarding_monitor'] LOOP
        IF NOT EXISTS (SELECT 1 FROM pg_catalog.pg_roles r WHERE r.rolname = role_name) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
            EXCEPTION
                -- Roles belong to the whole server: another database's migration may make them at this moment.
                WHEN duplicate_object OR unique_violation THEN NULL;
                WHEN insufficient_privilege THEN missing := missing || format('CREATE ROLE %I NOLOGIN;', role_name);
            END;
        END IF;
    END LOOP;
    IF missing <> '{}' THEN
        RAISE EXCEPTION 'onboarding: this login may not create roles; ask an administrator to run: %', array_to_string(missing, ' ')
            USING ERRCODE = 'insufficient_privilege';
    END IF;
END;
$$;
SELECT onboarding.make_roles();

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA onboarding FROM PUBLIC;
GRANT USAGE ON SCHEMA onboarding TO onboarding_enqueuer, onboarding_worker, onboarding_operator, onboarding_monitor;

-- Everything of a job but its payload, parameters and key.
GRANT SELECT (id, kind, provider, state, reference, unique_key, order_key, priority, run_at, expires_at, after_job_id,
    attempt, max_attempts, follow, created_at, updated_at, claimed_at, claimed_by, lease_expires_at, finished_at,
    provider_id, provider_status, decision, last_outcome, last_http_status, last_error, traceparent, payload_bytes,
    cancel_requested_at, step)
ON onboarding.jobs TO onboarding_enqueuer, onboarding_worker, onboarding_operator, onboarding_monitor;
GRANT SELECT ON onboarding.kinds, onboarding.migrations
    TO onboarding_enqueuer, onboarding_worker, onboarding_operator, onboarding_monitor;

GRANT INSERT (kind, payload, parameters, reference, unique_key, idempotency_key, priority, run_at, expires_at,
    after_job_id, order_key, max_attempts, follow, traceparent) ON onboarding.jobs TO onboarding_enqueuer;
GRANT EXECUTE ON FUNCTION onboarding.enqueue TO onboarding_enqueuer;

GRANT EXECUTE ON FUNCTION onboarding.claim, onboarding.mark_sent, onboarding.renew_lease,
    onboarding.remove_worker, onboarding.take_over, onboarding.expire_jobs, onboarding.complete,
    onboarding.repair_order_keys
    TO onboarding_worker;

GRANT EXECUTE ON FUNCTION onboarding.cancel, onboarding.retry, onboarding.pause_provider,
    onboarding.resume_provider, onboarding.limit_provider TO onboarding_operator;
GRANT EXECUTE ON FUNCTION onboarding.why TO onboarding_enqueuer, onboarding_operator, onboarding_worker, onboarding_monitor;
GRANT EXECUTE ON FUNCTION onboarding.snapshot_holders TO onboarding_operator, onboarding_monitor, onboarding_worker;
GRANT UPDATE (max_in_flight, rate_per_second, burst) ON onboarding.providers TO onboarding_operator;

GRANT SELECT ON onboarding.attempts, onboarding.state_changes, onboarding.provider_events, onboarding.transitions,
    onboarding.customers, onboarding.queue_health, onboarding.failed_jobs, onboarding.uncertain_jobs,
    onboarding.workers, onboarding.providers, onboarding.vacuum_horizon
    TO onboarding_operator, onboarding_monitor, onboarding_worker;
