-- Every change of state of one job, oldest first, and the wishes to cancel that had to wait.
-- $1 job bigint
-- Returns text columns.
SELECT to_char(t.at, 'YYYY-MM-DD HH24:MI:SS.MS') AS at, coalesce(t.from_state, '') AS from_state, t.to_state, coalesce(t.actor, '') AS actor,
    coalesce(t.reason, '') AS reason
FROM (
    SELECT x.at, x.from_state, x.to_state, x.actor, x.reason FROM onboarding.transitions x WHERE x.job_id = $1::bigint
    UNION ALL
    SELECT s.at, s.from_state, s.to_state, s.actor, s.reason FROM onboarding.state_changes s
    WHERE s.job_id = $1::bigint AND s.from_state = s.to_state) t
ORDER BY t.at, t.from_state IS NOT NULL, t.from_state = 'running'
