-- Who may do what: the rights of the group roles, which have no login. Only the functions change rows, apart from the columns
-- that are named here. Applied last, after every change of a function, a view or a trigger: DROP loses rights, and CREATE
-- FUNCTION gives PUBLIC one.
SELECT onboarding.make_roles();

-- From the beginning, so that a right which is taken out of this file is taken away.
REVOKE ALL ON ALL TABLES IN SCHEMA onboarding
    FROM onboarding_enqueuer, onboarding_worker, onboarding_operator, onboarding_monitor;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA onboarding
    FROM PUBLIC, onboarding_enqueuer, onboarding_worker, onboarding_operator, onboarding_monitor;

GRANT USAGE ON SCHEMA onboarding TO onboarding_enqueuer, onboarding_worker, onboarding_operator, onboarding_monitor;

-- Everybody: every column of a job but its payload, parameters and key.
GRANT SELECT (id, kind, provider, state, reference, unique_key, order_key, priority, run_at, expires_at, after_job_id,
    attempt, max_attempts, follow, created_at, updated_at, claimed_at, claimed_by, lease_expires_at, finished_at,
    provider_id, provider_status, decision, last_outcome, last_http_status, last_error, traceparent, payload_bytes,
    cancel_requested_at, step)
ON onboarding.jobs TO onboarding_enqueuer, onboarding_worker, onboarding_operator, onboarding_monitor;
GRANT SELECT ON onboarding.kinds, onboarding.migrations, onboarding.sources
    TO onboarding_enqueuer, onboarding_worker, onboarding_operator, onboarding_monitor;
GRANT EXECUTE ON FUNCTION onboarding.why
    TO onboarding_enqueuer, onboarding_worker, onboarding_operator, onboarding_monitor;

-- Callers. A column's default is called with the rights of whoever inserts.
GRANT INSERT (kind, payload, parameters, reference, unique_key, idempotency_key, priority, run_at, expires_at,
    after_job_id, order_key, max_attempts, follow, traceparent) ON onboarding.jobs TO onboarding_enqueuer;
GRANT EXECUTE ON FUNCTION onboarding.enqueue, onboarding.new_idempotency_key TO onboarding_enqueuer;

-- Workers.
GRANT EXECUTE ON FUNCTION onboarding.announce, onboarding.claim, onboarding.claim_turn, onboarding.complete,
    onboarding.count_whole_backlog, onboarding.expire_jobs, onboarding.has_work, onboarding.maintain, onboarding.mark_sent,
    onboarding.note_clock_jump, onboarding.old_claims, onboarding.register_worker, onboarding.remove_worker,
    onboarding.renew_lease, onboarding.repair_blocked, onboarding.repair_ends, onboarding.repair_order_keys,
    onboarding.repair_restored, onboarding.take_over, onboarding.unlocked_jobs
    TO onboarding_worker;

-- Operators.
GRANT EXECUTE ON FUNCTION onboarding.cancel, onboarding.count_whole_backlog, onboarding.doubt_unfinished,
    onboarding.limit_provider, onboarding.maintain, onboarding.pause_provider, onboarding.resolve, onboarding.resolve_jobs,
    onboarding.resume_provider, onboarding.retry, onboarding.cancelled_with
    TO onboarding_operator;
GRANT SELECT ON onboarding.audit, onboarding.setting_changes TO onboarding_operator, onboarding_monitor;
GRANT UPDATE (max_in_flight, rate_per_second, burst, effect_horizon) ON onboarding.providers TO onboarding_operator;
GRANT UPDATE (keep_finished) ON onboarding.kinds TO onboarding_operator;
GRANT UPDATE (keep_history) ON onboarding.maintenance TO onboarding_operator;

-- Those who watch. The functions are called by the views, with the rights of whoever reads.
GRANT SELECT ON onboarding.attempts, onboarding.customers, onboarding.doubles, onboarding.failed_jobs,
    onboarding.maintenance, onboarding.provider_events, onboarding.providers, onboarding.queue_health,
    onboarding.state_changes, onboarding.transitions, onboarding.uncertain_jobs, onboarding.upkeep_failures,
    onboarding.vacuum_horizon, onboarding.workers
    TO onboarding_worker, onboarding_operator, onboarding_monitor;
GRANT EXECUTE ON FUNCTION onboarding.hold_end, onboarding.learnt_rate, onboarding.queue_counts, onboarding.snapshot_holders
    TO onboarding_worker, onboarding_operator, onboarding_monitor;
