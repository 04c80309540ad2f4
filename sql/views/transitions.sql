-- Every change of state of every job: starts and ends of attempts, and changes that no attempt explains.
-- Callers: operators and monitors; queries/job_transitions.sql.
CREATE OR REPLACE VIEW onboarding.transitions AS
SELECT j.id AS job_id, NULL::text AS from_state,
    CASE WHEN j.state = 'blocked' OR EXISTS (
        SELECT 1 FROM onboarding.state_changes s WHERE s.job_id = j.id AND s.from_state = 'blocked')
        THEN 'blocked' ELSE 'available' END AS to_state,
    j.created_at AS at, 'caller'::text AS actor, 'enqueued'::text AS reason
FROM onboarding.jobs j
UNION ALL
SELECT a.job_id, 'available', 'running', a.claimed_at, a.worker, 'claimed'
FROM onboarding.attempts a WHERE NOT a.late
UNION ALL
SELECT a.job_id, 'running', a.next_state, a.finished_at, a.worker, a.reason
FROM onboarding.attempts a WHERE NOT a.late
UNION ALL
SELECT j.id, 'available', 'running', j.claimed_at, j.claimed_by, 'claimed'
FROM onboarding.jobs j WHERE j.state = 'running'
UNION ALL
SELECT s.job_id, s.from_state, s.to_state, s.at, s.actor, s.reason
FROM onboarding.state_changes s WHERE s.from_state <> s.to_state;
